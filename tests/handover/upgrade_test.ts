import assert from "node:assert/strict";
import { formatAddress } from "../../lib/address.ts";
import { FAILURE_FILE, PREDECESSOR } from "../../lib/proxy/predecessor.ts";
import { echo, Service } from "../relay/peer.ts";
import { pause } from "../relay/waiting.ts";
import { executables, whyNoExecutables } from "../support/executables.ts";
import { brieflyOr, onlyForLong } from "../support/long.ts";
import { commandOf } from "../support/programs.ts";
import { Proxy } from "../support/proxy.ts";
import { TemporaryDirectory } from "../support/temporary.ts";
import { testWith } from "../support/tools.ts";
import { NotifySocket } from "./service_manager.ts";
import { assertServed, linked, whyNotLinked } from "./linked.ts";
import { upgradable, upgrade } from "./upgradable.ts";
import { Wire } from "./wire.ts";
import { whyNoTakeover } from "./why_not.ts";

testWith(
  whyNoTakeover,
  "an upgrade: a new process goes on, its log in the same place, in its own session",
  async () => {
    await using service = await Service.start();
    await using stage = await upgradable(service, { args: ["--threads=2"] });
    const { proxy } = stage;
    using wire = await Wire.through(proxy.address, service);
    for (const end of wire.ends) end.talk();
    for (let turn = 0, old = proxy.process.pid; turn < 2; turn++) {
      const { code, stdout, stderr } = await proxy.ctl([
        "upgrade",
        ...turn === 0 ? ["--json"] : [],
      ]);
      assert.equal(code, 0, stderr);
      const { pid, version } = turn === 0 ? JSON.parse(stdout) : read(stdout);
      assert.equal(pid.old, old);
      assert.notEqual(pid.new, old);
      assert.equal(version.old, version.new);
      const status = await proxy.status();
      assert.deepEqual([status.pid, status.threads, status.active], [pid.new, 2, 1]);
      const [, , , , , session] = (await Deno.readTextFile(`/proc/${pid.new}/stat`)).split(" ");
      assert.equal(Number(session), pid.new);
      old = pid.new;
    }
    const { connections, pausedMilliseconds } = await proxy.logged("taken_over", 2);
    assert.equal(connections, 1);
    assert.ok(Number.isInteger(pausedMilliseconds));
    await wire.settle();
    assert.equal(wire.fault, null);
  },
);

/** What proxyctl says of an upgrade to people. */
function read(text: string) {
  const pattern =
    /^Process (\d+) \(version (\S+)\) has taken over from process (\d+) \(version (\S+)\)\n$/;
  assert.match(text, pattern);
  const [, newPid, newVersion, oldPid, oldVersion] = pattern.exec(text) ?? [];
  return {
    pid: { old: Number(oldPid), new: Number(newPid) },
    version: { old: oldVersion, new: newVersion },
  };
}

testWith(
  onlyForLong ?? whyNotLinked,
  "what is started is what the path leads to by then, not what it led to",
  async () => {
    await using service = await echo();
    await using stage = await linked(service);
    const { path, proxy, relink } = stage;
    using client = await proxy.served();
    const [executable] = commandOf("proxy");
    await relink(`echo "$0" > ${path}/started; exec ${executable} "$@"`);
    await upgrade(proxy);
    assert.equal(await Deno.readTextFile(`${path}/started`), `${path}/link\n`);
    await assertServed(client);
  },
);

testWith(
  onlyForLong ?? whyNoTakeover,
  "whoever asks once an upgrade is done, asks the successor",
  async () => {
    await using service = await echo();
    await using stage = await upgradable(service);
    const { proxy } = stage;
    for (let round = 0; round < brieflyOr(2, 20); round++) {
      const { status, text } = await proxy.request("POST", "/v1/upgrade");
      assert.equal(status, 200, text);
      const answers = await Promise.all([1, 2, 3].map(() => proxy.request("GET", "/v1/status")));
      for (const answer of answers) {
        assert.equal(JSON.parse(answer.text).pid, JSON.parse(text).pid, answer.text);
      }
    }
  },
);

for (const kind of ["path", "abstract name"]) {
  testWith(
    onlyForLong ?? whyNoTakeover,
    `the service manager hears who serves, by a socket with a ${kind}`,
    async () => {
      await using temporary = await TemporaryDirectory.make();
      const name = kind === "path" ? `${temporary.path}/notify` : `@${temporary.path}`;
      using manager = new NotifySocket(name);
      await using service = await echo();
      await using stage = await upgradable(service, { env: { NOTIFY_SOCKET: name } });
      const { proxy } = stage;
      await manager.until(/^READY=1$/);
      await upgrade(proxy);
      await manager.until(/^MAINPID=/);
      const { pid } = await proxy.status();
      const heard = () => manager.heard.filter((said) => !said.startsWith("STATUS="));
      assert.match(heard()[1] ?? "", /^RELOADING=1\nMONOTONIC_USEC=\d+$/);
      await manager.until(/^READY=1$/, 2);
      assert.deepEqual(heard().slice(2, 4), [`MAINPID=${pid}`, "READY=1"]);
      Deno.kill(pid, "SIGTERM");
      await manager.until(/^STOPPING=1$/);
      assert.equal(heard().length, 5);
    },
  );
}

testWith(
  onlyForLong ?? whyNoTakeover,
  "a service manager that reads nothing holds up neither start, control, upgrade nor end",
  async () => {
    await using temporary = await TemporaryDirectory.make();
    const name = `${temporary.path}/notify`;
    using manager = new NotifySocket(name);
    manager.fill();
    await using service = await echo();
    await using stage = await upgradable(service, { env: { NOTIFY_SOCKET: name } });
    const { proxy } = stage;
    await upgrade(proxy);
    const { pid } = await proxy.status();
    Deno.kill(pid, "SIGTERM");
    await proxy.logged("stopped");
  },
);

testWith(
  whyNoTakeover,
  "a proxy that is stopped while it is being upgraded does not come back",
  async () => {
    for (let wait = 0; wait <= 200; wait += brieflyOr(200, 10)) {
      await using service = await echo();
      await using stage = await upgradable(service);
      const { proxy } = stage;
      const upgrading = proxy.request("POST", "/v1/upgrade").catch(() => null);
      await proxy.until(() => true);
      await pause(wait);
      proxy.process.kill("SIGTERM");
      assert.equal(await proxy.process.ended(), 0);
      const upgraded = (await upgrading)?.status === 200;
      const status = await proxy.status().catch(() => null);
      // The successor may have been quicker; it is not to have begun anew.
      if (status !== null) await proxy.logged("handed_over");
      else {
        await proxy.process.finished();
        assert.deepEqual(proxy.log("handed_over"), []);
        assert.equal(upgraded, false);
      }
      assert.deepEqual(proxy.log("giver_died"), []);
    }
  },
);

testWith(
  whyNoTakeover,
  "a successor takes over from the proxy that started it, and from no other",
  async () => {
    await using temporary = await TemporaryDirectory.make();
    await using service = await echo();
    await using proxy = await Proxy.start(service.address);
    const reason = `${temporary.path}/failure`;
    await assert.rejects(
      Proxy.start(service.address, {
        directory: proxy.directory,
        listen: formatAddress(proxy.address),
        env: { [FAILURE_FILE]: reason, [PREDECESSOR]: `${Deno.pid}` },
      }),
      /has taken over from the proxy that was to be succeeded/,
    );
    assert.match(await Deno.readTextFile(reason), /has taken over from/);
    assert.equal((await proxy.status()).pid, proxy.process.pid);
  },
);

for (const from of ["from source", "compiled"] as const) {
  testWith(
    onlyForLong ?? whyNoTakeover ?? (from === "compiled" ? whyNoExecutables : null),
    `${from}: an upgrade needs nothing of the directory that the first process was started in`,
    async () => {
      await using service = await echo();
      await using temporary = await TemporaryDirectory.make();
      const cwd = `${temporary.path}/release`;
      await Deno.mkdir(cwd);
      const compiled = from === "compiled" ? { executables: await executables() } : {};
      const directory = `${temporary.path}/proxy`;
      await using stage = await upgradable(service, {
        ...compiled,
        cwd,
        // The last one counts.
        args: ["--runtime-dir", "../elsewhere", "--runtime-dir=../proxy"],
        directory,
      });
      const { proxy } = stage;
      using client = await proxy.served();
      await Deno.remove(cwd);
      for (let turn = 0; turn < 2; turn++) {
        await upgrade(proxy);
        await assertServed(client);
      }
      const { pid } = await proxy.status();
      assert.equal(await Deno.readLink(`/proc/${pid}/cwd`), "/");
    },
  );
}
