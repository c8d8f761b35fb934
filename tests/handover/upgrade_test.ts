import assert from "node:assert/strict";
import { formatAddress } from "../../lib/address.ts";
import { FAILURE_FILE, PREDECESSOR } from "../../lib/proxy/failure.ts";
import { echo, type Peer, Service } from "../relay/peer.ts";
import { pause } from "../relay/waiting.ts";
import { commandOf } from "../support/programs.ts";
import { Proxy, type ProxyOptions } from "../support/proxy.ts";
import { TemporaryDirectory } from "../support/temporary.ts";
import { testWith } from "../support/tools.ts";
import { until } from "../support/until.ts";
import { NotifySocket } from "./service_manager.ts";
import { Wire } from "./wire.ts";
import { whyNoTakeover } from "./why_not.ts";

/** A proxy whose successors, which are nobody's children, are killed in the end as well. */
async function upgradable(service: Service, options: ProxyOptions = {}) {
  const stack = new AsyncDisposableStack();
  const proxy = stack.use(await Proxy.start(service.address, options));
  stack.defer(async () => {
    const status = await proxy.status().catch(() => null);
    if (status !== null && status.pid !== proxy.process.pid) Deno.kill(status.pid, "SIGKILL");
  });
  return { proxy, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}

/** A proxy that was started through a link, which can be made to lead elsewhere. */
async function linked(service: Service) {
  const stack = new AsyncDisposableStack();
  const { path } = stack.use(await TemporaryDirectory.make());
  const [executable] = commandOf("proxy");
  await Deno.symlink(executable, `${path}/link`);
  const wrap = ["sh", "-c", `shift; exec ${path}/link "$@"`, "sh"];
  const { proxy } = stack.use(await upgradable(service, { through: wrap }));
  const relink = async (script: string) => {
    await Deno.writeTextFile(`${path}/new`, `#!/bin/sh\n${script}\n`, { mode: 0o755 });
    await Deno.symlink(`${path}/new`, `${path}/link.new`);
    await Deno.rename(`${path}/link.new`, `${path}/link`);
  };
  return { path, proxy, relink, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}

async function assertServed(peer: Peer): Promise<void> {
  await peer.send("yo");
  assert.equal(await peer.read(2), "yo");
}

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
      const { code, stdout, stderr } = await proxy.ctl(["upgrade", "--json"]);
      assert.equal(code, 0, stderr);
      const { pid, version } = JSON.parse(stdout);
      assert.equal(pid.old, old);
      assert.notEqual(pid.new, old);
      assert.equal(version.old, version.new);
      const status = await proxy.status();
      assert.deepEqual([status.pid, status.threads, status.active], [pid.new, 2, 1]);
      const [, , , , , session] = (await Deno.readTextFile(`/proc/${pid.new}/stat`)).split(" ");
      assert.equal(Number(session), pid.new);
      old = pid.new;
    }
    assert.equal((await proxy.logged("taken_over", 2))["connections"], 1);
    const text = (await proxy.ctl(["upgrade"])).stdout;
    assert.match(
      text,
      /^Process \d+ \(version \S+\) has taken over from process \d+ \(version \S+\)\n$/,
    );
    await wire.settle();
    assert.equal(wire.fault, null);
  },
);

testWith(
  whyNoTakeover ?? (Deno.env.has("EXECUTABLES") ? "EXECUTABLES is set" : null),
  "what is started is what the path leads to by then, not what it led to",
  async () => {
    await using service = await echo();
    await using stage = await linked(service);
    const { path, proxy, relink } = stage;
    using client = await proxy.served();
    const [executable] = commandOf("proxy");
    await relink(`echo "$0" > ${path}/started; exec ${executable} "$@"`);
    const { code, stderr } = await proxy.ctl(["upgrade"]);
    assert.equal(code, 0, stderr);
    assert.equal(await Deno.readTextFile(`${path}/started`), `${path}/link\n`);
    await assertServed(client);
  },
);

testWith(
  whyNoTakeover ?? (Deno.env.has("EXECUTABLES") ? "EXECUTABLES is set" : null),
  "a successor that fails changes nothing, and proxyctl says why",
  async () => {
    await using service = await echo();
    await using stage = await linked(service);
    const { path, proxy, relink } = stage;
    using client = await proxy.served();
    const [executable] = commandOf("proxy");
    const fail = async (because: RegExp) => {
      const { code, stdout, stderr } = await proxy.ctl(["upgrade"]);
      assert.match(stderr, /^proxyctl: [^\n]+\n$/);
      assert.match(stderr, because);
      assert.deepEqual([code, stdout], [1, ""]);
      await assertServed(client);
      assert.equal((await proxy.status()).pid, proxy.process.pid);
    };
    await relink(`exec ${executable} "$@" --no-such-option`);
    await fail(/this proxy goes on: .*unknown option '--no-such-option'/);
    await relink("exit 7");
    await fail(/this proxy goes on: it ended with exit code 7/);
    await Deno.remove(`${path}/link`);
    await fail(/Failed to start \S+\/link: /);
    const left = [...Deno.readDirSync(proxy.directory)].map(({ name }) => name).sort();
    assert.deepEqual(left, ["control.sock", "handover.sock", "lock"]);
  },
);

Deno.test("the portable relay cannot be upgraded: exit code 8; and a request with fields is refused", async () => {
  await using service = await echo();
  await using proxy = await Proxy.start(service.address, { args: ["--relay=portable"] });
  const { code, stderr } = await proxy.ctl(["upgrade"]);
  assert.equal(code, 8);
  assert.match(stderr, /^proxyctl: The portable relay [^\n]+\n$/);
  assert.equal((await proxy.request("POST", "/v1/upgrade", { path: "/bin/sh" })).status, 400);
});

for (const kind of ["path", "abstract name"]) {
  testWith(
    whyNoTakeover,
    `the service manager hears who serves, by a socket with a ${kind}`,
    async () => {
      await using temporary = await TemporaryDirectory.make();
      const name = kind === "path" ? `${temporary.path}/notify` : `@${temporary.path}`;
      using manager = new NotifySocket(name);
      await using service = await echo();
      await using stage = await upgradable(service, { env: { NOTIFY_SOCKET: name } });
      const { proxy } = stage;
      await manager.until(/^READY=1$/);
      assert.equal((await proxy.ctl(["upgrade"])).code, 0);
      await manager.until(/^MAINPID=/);
      const { pid } = await proxy.status();
      assert.match(manager.heard[1] ?? "", /^RELOADING=1\nMONOTONIC_USEC=\d+$/);
      await manager.until(/^READY=1$/, 2);
      assert.deepEqual(manager.heard.slice(2, 4), [`MAINPID=${pid}`, "READY=1"]);
      Deno.kill(pid, "SIGTERM");
      await manager.until(/^STOPPING=1$/);
      assert.equal(manager.heard.length, 5);
    },
  );
}

testWith(
  whyNoTakeover,
  "a proxy that is stopped while it is being upgraded does not come back",
  async () => {
    for (let wait = 0; wait <= 200; wait += 50) {
      await using service = await echo();
      await using stage = await upgradable(service);
      const { proxy } = stage;
      const upgrading = proxy.ctl(["upgrade"]);
      await proxy.until(() => true);
      await pause(wait);
      proxy.process.kill("SIGTERM");
      assert.equal((await proxy.process.finished()).code, 0);
      const { code } = await upgrading;
      const status = await proxy.status().catch(() => null);
      // The successor may have been quicker; it is not to have begun anew.
      assert.equal(status !== null, /"event":"handed_over"/.test(proxy.process.stderr));
      assert.doesNotMatch(proxy.process.stderr, /"event":"giver_died"/);
      if (status === null) assert.notEqual(code, 0);
    }
  },
);

testWith(
  whyNoTakeover ?? (Deno.env.has("EXECUTABLES") ? "EXECUTABLES is set" : null),
  "who takes over by hand during an upgrade stays, and proxyctl says that the upgrade failed",
  async () => {
    await using service = await echo();
    await using stage = await linked(service);
    const { path, proxy, relink } = stage;
    const [executable] = commandOf("proxy");
    await relink(`while [ ! -e ${path}/go ]; do sleep 0.02; done; exec ${executable} "$@"`);
    const upgrading = proxy.ctl(["upgrade"]);
    await until(
      () => Deno.readTextFile(`/proc/${proxy.process.pid}/task/${proxy.process.pid}/children`),
      (children) => children !== "",
    );
    const listen = formatAddress(proxy.address);
    await using other = await Proxy.start(service.address, { directory: proxy.directory, listen });
    const { code, stderr } = await upgrading;
    assert.equal(code, 1);
    assert.equal(
      stderr,
      `proxyctl: Process ${other.process.pid}, which somebody else has started, has taken over ` +
        "meanwhile\n",
    );
    await Deno.writeTextFile(`${path}/go`, "");
    using client = await other.served();
    assert.equal((await other.status()).pid, other.process.pid);
    await assertServed(client);
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
