import assert from "node:assert/strict";
import { whyNoEpoll } from "../../lib/linux/available.ts";
import { formatAddress } from "../../lib/address.ts";
import { PROGRAMS } from "../../lib/packaging/programs.ts";
import { echo, Peer } from "../relay/peer.ts";
import { AnotherUser, noOtherUser } from "../support/another_user.ts";
import { complete, Running } from "../support/programs.ts";
import { TemporaryDirectory } from "../support/temporary.ts";
import { onlyForLong } from "../support/long.ts";
import { testWith } from "../support/tools.ts";
import { isKeeper, Stage } from "./stage.ts";

const no = whyNoEpoll() ?? noOtherUser();

/** A group of which somebody is a member besides. */
const GROUP = 54322;

/** What Linux knows of a process: /proc/PID/status (proc(5)). */
function statusOf(pid: number): Map<string, string> {
  const lines = Deno.readTextFileSync(`/proc/${pid}/status`).split("\n");
  return new Map(lines.map((line) => line.split(":\t") as [string, string]));
}

testWith(
  no,
  "parked by root, the keeper of another user's proxy is that user, and no more",
  async () => {
    await using user = await AnotherUser.make();
    await using service = await echo();
    const directory = `${user.home}/proxy`;
    const args = ["127.0.0.1:0", formatAddress(service.address), "--runtime-dir", directory];
    await using first = await user.start("proxy", args);
    const [, listen = ""] = await first.heard(/"listen":"([^"]*)"/);
    const port = Number(listen.split(":")[1]);
    const ctl = (...args: string[]) => complete("proxyctl", ["--runtime-dir", directory, ...args]);
    assert.equal((await ctl("drain")).code, 0);
    using client = await Peer.connect({ host: "127.0.0.1", port });
    await client.send("hi");
    const { code, stdout, stderr } = await ctl("park", "--json");
    assert.equal(code, 0, stderr);
    const { keeper } = JSON.parse(stdout);
    try {
      const status = statusOf(keeper);
      const id = `${user.id}`;
      assert.deepEqual(
        [status.get("Uid"), status.get("Gid"), status.get("Groups")?.trim(), status.get("CapEff")],
        [[id, id, id, id].join("\t"), [id, id, id, id].join("\t"), "", "0".repeat(16)],
      );
      first.kill("SIGTERM");
      assert.equal((await first.finished()).code, 0);
      assert.match((await ctl("status")).stdout, /^state +parked$/m);
      for (const { name } of Deno.readDirSync(directory)) {
        assert.equal(Deno.lstatSync(`${directory}/${name}`).uid, user.id, name);
      }
      args[0] = `127.0.0.1:${port}`;
      await using next = await user.start("proxy", args);
      await next.heard(/"event":"listen"/);
      assert.equal((await ctl("resume")).code, 0);
      assert.equal(await client.read(2), "hi");
    } finally {
      if (isKeeper(keeper, directory)) Deno.kill(keeper, "SIGKILL");
    }
  },
);

testWith(no, "who may only control a proxy cannot park it, and is told so", async () => {
  await using user = await AnotherUser.make();
  await using temporary = await TemporaryDirectory.make();
  await Deno.chmod(temporary.path, 0o755);
  await using stage = await Stage.set({ args: ["--control-group", `${GROUP}`] });
  // The directory of the stage is root's alone.
  await Deno.chmod(`${stage.directory}/..`, 0o755);
  await stage.drain();
  const park = ["--runtime-dir", stage.directory, "park"];
  await using ctl = await user.start("proxyctl", park, { group: GROUP });
  const { code, stdout, stderr } = await ctl.finished();
  assert.deepEqual([code, stdout], [6, ""], stderr);
  assert.match(stderr, /^proxyctl: Permission denied .*as the user of the proxy, or as root\n$/);
  assert.equal((await stage.proxy.status()).state, "drained");
});

testWith(
  whyNoEpoll(),
  "the group that may control a proxy may ask its keeper as well",
  async () => {
    const group = noOtherUser() === null ? GROUP : Deno.gid() ?? 0;
    await using stage = await Stage.set({ args: ["--control-group", `${group}`] });
    await stage.drain();
    await stage.park();
    const before = await Deno.lstat(stage.proxy.controlSocket);
    await stage.stop();
    const after = await Deno.lstat(stage.proxy.controlSocket);
    assert.notEqual(before.ino, after.ino);
    assert.deepEqual([after.mode, after.gid], [before.mode, group]);
  },
);

testWith(
  no,
  "the user of a proxy parks it without being a member of the group that may control it",
  async () => {
    await using user = await AnotherUser.make();
    await using service = await echo();
    const directory = `${user.home}/proxy`;
    const args = ["127.0.0.1:0", formatAddress(service.address), "--runtime-dir", directory];
    args.push("--control-group", `${GROUP}`);
    await using first = await user.start("proxy", args, { group: GROUP });
    const [, listen = ""] = await first.heard(/"listen":"([^"]*)"/);
    const ctl = (...args: string[]) =>
      user.complete("proxyctl", ["--runtime-dir", directory, ...args]);
    assert.equal((await ctl("drain")).code, 0);
    const { code, stdout, stderr } = await ctl("park", "--json");
    assert.equal(code, 0, stderr);
    const { keeper } = JSON.parse(stdout);
    try {
      first.kill("SIGTERM");
      assert.equal((await first.finished()).code, 0);
      const { mode, gid } = Deno.lstatSync(`${directory}/control.sock`);
      assert.deepEqual([(mode ?? 0) & 0o777, gid], [0o660, GROUP]);
      args[0] = listen;
      await using next = await user.start("proxy", args, { group: GROUP });
      await next.heard(/"event":"listen"/);
      assert.equal((await ctl("resume")).code, 0);
    } finally {
      if (isKeeper(keeper, directory)) Deno.kill(keeper, "SIGKILL");
    }
  },
);

testWith(
  whyNoEpoll(),
  "without the permission to call the C library, park says so in a line",
  async () => {
    await using stage = await Stage.set();
    await stage.drain();
    const root = new URL("../../", import.meta.url).pathname;
    const permissions = PROGRAMS.proxyctl.permissions.filter((flag) => flag !== "--allow-ffi");
    const options = ["run", "--quiet", ...permissions, `${root}proxyctl.ts`];
    const args = ["--runtime-dir", stage.directory, "park"];
    await using ctl = new Running([Deno.execPath(), ...options, ...args]);
    const { code, stdout, stderr } = await ctl.finished();
    assert.deepEqual([code, stdout], [1, ""]);
    assert.match(stderr, /^proxyctl: Failed to park .*--allow-ffi\)\n$/);
  },
);

testWith(
  onlyForLong ?? no,
  "a keeper is in the list, and a port that it has is said to be its",
  async () => {
    await using user = await AnotherUser.make();
    await using service = await echo();
    const env = { XDG_RUNTIME_DIR: user.home };
    const upstream = formatAddress(service.address);
    // The name of a default directory is what the command line says.
    const port = 20000 + Deno.pid % 10000;
    await using proxy = await user.start("proxy", [`127.0.0.1:${port}`, upstream], { env });
    await proxy.heard(/"event":"listen"/);
    assert.equal((await user.complete("proxyctl", ["drain"], { env })).code, 0);
    const parked = await user.complete("proxyctl", ["park", "--json"], { env });
    assert.equal(parked.code, 0, parked.stderr);
    const { keeper } = JSON.parse(parked.stdout);
    const directory = `${user.home}/disnix-tcp-proxy/127.0.0.1:${port}`;
    try {
      proxy.kill("SIGTERM");
      assert.equal((await proxy.finished()).code, 0);
      const { stdout } = await user.complete("proxyctl", ["list"], { env });
      assert.match(
        stdout,
        new RegExp(`^127.0.0.1:${port} .* parked, ends in \\S+ +0 +0 `, "m"),
      );
      const listed = await user.complete("proxyctl", ["list", "--json"], { env });
      assert.equal(JSON.parse(listed.stdout)[0].keeper, keeper);
      const other = ["--runtime-dir", `${user.home}/other`];
      const taken = await user.complete("proxy", [`127.0.0.1:${port}`, upstream, ...other], {
        env,
      });
      assert.equal(taken.code, 1);
      assert.match(
        taken.stderr,
        new RegExp(`taken by the keeper of a parked proxy with process ${keeper} and /`),
      );
    } finally {
      if (isKeeper(keeper, directory)) Deno.kill(keeper, "SIGKILL");
    }
  },
);
