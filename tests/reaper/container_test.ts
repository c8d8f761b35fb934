import assert from "node:assert/strict";
import { formatAddress } from "../../lib/address.ts";
import { echo } from "../relay/peer.ts";
import { onlyForLong } from "../support/long.ts";
import { commandOf, Running } from "../support/programs.ts";
import { testWith, whyNotTraced, without } from "../support/tools.ts";
import { until } from "../support/until.ts";
import { Container, whyNoContainer } from "./container.ts";

/** The proxy is what a container begins with. */
const FIRST = { what: "the proxy", init: [] as string[], pid: 1 };

/** What a container begins with, and the number that the proxy has in it. */
const BEGINNINGS = [
  FIRST,
  { what: "tini", init: ["tini", "--"], pid: 2 },
  { what: "dumb-init", init: ["dumb-init", "--"], pid: 2 },
];

/** One that does not pass signals on, as scripts that do not end with exec. */
const SCRIPT = {
  what: "tini and a script",
  init: ["tini", "--", "sh", "-c", '"$@"; exit $?', "sh"],
};

function missing(init: readonly string[]): string | null {
  const long = init.length > 0 ? onlyForLong : null;
  return long ?? whyNoContainer ?? without(...init.slice(0, 1));
}

for (const { what, init, pid } of BEGINNINGS) {
  testWith(
    missing(init),
    `a container that begins with ${what} outlives two upgrades, and ends with the last proxy`,
    async () => {
      await using service = await echo();
      await using container = await Container.start(service.address, { init });
      const { proxy, first } = container;
      using client = await proxy.served();
      assert.equal((await proxy.status()).pid, pid);
      const successor = await container.upgrade();
      await container.becameReaper(pid);
      const last = await container.upgrade();
      assert.notEqual(last.pid, successor.pid);
      assert.equal(last.active, 1);
      // The one in between has left nothing behind.
      await until(
        () => container.processes(),
        (all) => all.every(({ inside }) => inside !== successor.pid),
      );
      await client.send("yo");
      assert.equal(await client.read(2), "yo");
      client.finish();
      await proxy.until(({ active }) => active === 0);
      Deno.kill(first, "SIGTERM");
      const { code, stderr } = await proxy.process.finished();
      assert.equal(code, 0, stderr);
      assert.equal(proxy.log("stopped").length, 1);
      assert.deepEqual(proxy.log("queue_reset"), []);
    },
  );
}

for (const { what, init } of [FIRST, SCRIPT]) {
  testWith(
    missing(init),
    `a container that begins with ${what} ends with the exit code of a proxy that is killed`,
    async () => {
      await using service = await echo();
      await using container = await Container.start(service.address, { init });
      const { pid } = await container.upgrade();
      // At once, or when what stays is there to see it.
      if (init.length > 0) await container.becameReaper(3);
      await container.kill(pid, "SIGKILL");
      assert.equal((await container.proxy.process.finished()).code, 128 + 9);
    },
  );
}

testWith(whyNoContainer, "what stays is small, has no socket, and lets no child wait", async () => {
  await using service = await echo();
  await using container = await Container.start(service.address);
  const { pid } = await container.upgrade();
  await container.becameReaper(1);
  const stays = await container.outside(1);
  const sockets = await socketsOf(stays);
  for (const table of ["tcp", "tcp6", "unix"]) {
    const known = await Deno.readTextFile(`/proc/${stays}/net/${table}`);
    for (const line of known.split("\n").slice(1)) {
      const words = line.trim().split(/\s+/);
      const inode = table === "unix" ? words[6] ?? "" : words[9] ?? "";
      // The runtime has a pair of its own, which has no name.
      if (sockets.includes(inode)) assert.equal(words[7], undefined, line);
    }
  }
  const proxy = await container.outside(pid);
  // Either may have just begun.
  await until(
    async () => await ownMemoryOf(stays) / await ownMemoryOf(proxy),
    (share) => share < 1 / 2,
  );
  // One whose parent ends becomes a child of the first process.
  await using orphan = container.enter("sh", "-c", "sleep 0.1 & echo $!");
  const [, number] = await orphan.heard(/(\d+)/, "stdout");
  await orphan.finished();
  await until(
    () => container.processes(),
    (all) => all.every(({ inside }) => inside !== Number(number)),
  );
  assert.equal((await container.proxy.status()).pid, pid);
});

for (const end of ["is killed", "is stopped", "is upgraded, and stopped"]) {
  testWith(
    onlyForLong ?? whyNoContainer,
    `one that is started by hand in a container takes over as well, and ${end}`,
    async () => {
      await using service = await echo();
      await using container = await Container.start(service.address);
      const { proxy, first } = container;
      const upstream = formatAddress(service.address);
      await using next = container.enterProxy(upstream, "--takeover=always");
      await next.heard(/"event":"taken_over"/);
      await container.becameReaper(1);
      if (end === "is upgraded, and stopped") await container.upgrade();
      const { pid } = await proxy.status();
      assert.notEqual(pid, 1);
      if (end === "is killed") await container.kill(pid, "SIGKILL");
      else Deno.kill(first, "SIGTERM");
      // Only its parent, who is elsewhere, knows with which code it has ended.
      assert.equal((await proxy.process.finished()).code, end === "is killed" ? 1 : 0);
    },
  );
}

testWith(
  onlyForLong ?? whyNoContainer,
  "what stays passes SIGHUP on, and a second process takes over",
  async () => {
    await using service = await echo();
    await using container = await Container.start(service.address);
    const { proxy, first } = container;
    Deno.kill(first, "SIGHUP");
    const { to } = await proxy.logged("handed_over");
    await container.becameReaper(1);
    Deno.kill(first, "SIGHUP");
    await proxy.until(({ pid }) => pid !== 1 && pid !== to);
    Deno.kill(first, "SIGINT");
    assert.equal((await proxy.process.finished()).code, 0);
    assert.equal(proxy.log("stopped").length, 1);
  },
);

testWith(
  onlyForLong ?? whyNoContainer,
  "a container parks nobody: the keeper would end with it",
  async () => {
    await using service = await echo();
    await using container = await Container.start(service.address, { args: ["--start-drained"] });
    const { directory } = container.proxy;
    const park = async () => {
      await using ctl = container.enter(
        ...commandOf("proxyctl"),
        "--runtime-dir",
        directory,
        "park",
      );
      const { code, stderr } = await ctl.finished();
      assert.match(stderr, /^proxyctl: Failed to park the proxy: the container ends [^\n]+\n$/);
      assert.equal(code, 8);
    };
    await park();
    await container.upgrade();
    await park();
    assert.equal((await container.proxy.status()).state, "drained");
  },
);

testWith(
  onlyForLong ?? whyNoContainer,
  "stopped while it is being upgraded, a container ends",
  async () => {
    await using service = await echo();
    for (const event of ["handed_over", "taken_over"]) {
      await using container = await Container.start(service.address);
      const { proxy } = container;
      const upgrading = proxy.ctl(["upgrade"]);
      await proxy.logged(event);
      Deno.kill(container.first, "SIGTERM");
      assert.equal((await proxy.process.finished()).code, 0);
      assert.equal(proxy.log("stopped").length, 1);
      await upgrading;
    }
  },
);

testWith(
  onlyForLong ?? whyNoContainer ?? whyNotTraced(),
  "a signal that comes while what stays is being started is passed on",
  async () => {
    await using service = await echo();
    await using container = await Container.start(service.address);
    const { proxy, first } = container;
    const late = ["--trace=execve", "--inject=execve:delay_enter=500000", `--attach=${first}`];
    await using trace = new Running(["strace", ...late]);
    await trace.heard(/attached/);
    await container.upgrade();
    const execve = Deno.build.arch === "x86_64" ? 59 : 221;
    await until(
      () => Deno.readTextFile(`/proc/${first}/syscall`),
      (call) => call.startsWith(`${execve} `),
    );
    Deno.kill(first, "SIGTERM");
    await proxy.logged("stopped");
    assert.equal((await proxy.process.finished()).code, 0);
  },
);

testWith(
  whyNoContainer ?? (Deno.env.has("EXECUTABLES") ? "EXECUTABLES is set" : null),
  "what cannot stay is not taken over from",
  async () => {
    await using service = await echo();
    const gone = `${await Deno.makeTempDir()}/deno`;
    await Deno.link(Deno.execPath(), gone).catch(() => Deno.copyFile(Deno.execPath(), gone));
    const init = ["sh", "-c", `shift; exec ${gone} "$@"`, "sh"];
    await using container = await Container.start(service.address, { init });
    await Deno.remove(gone);
    const upstream = formatAddress(service.address);
    await using next = container.enterProxy(upstream, "--takeover=always");
    const { code, stderr } = await next.finished();
    assert.match(stderr, /process 1 would have to stay[^\n]*deno is no longer there\n/);
    assert.equal(code, 1);
    assert.equal((await container.proxy.status()).pid, 1);
  },
);

async function socketsOf(pid: number): Promise<string[]> {
  const found: string[] = [];
  for await (const { name } of Deno.readDir(`/proc/${pid}/fd`)) {
    const target = await Deno.readLink(`/proc/${pid}/fd/${name}`).catch(() => "");
    const [, inode] = /^socket:\[(\d+)\]$/.exec(target) ?? [];
    if (inode !== undefined) found.push(inode);
  }
  return found;
}

/** In KiB; what is read from files is not counted, which all processes share. */
async function ownMemoryOf(pid: number): Promise<number> {
  const status = await Deno.readTextFile(`/proc/${pid}/status`);
  return Number(/^RssAnon:\s*(\d+)/m.exec(status)?.[1]);
}
