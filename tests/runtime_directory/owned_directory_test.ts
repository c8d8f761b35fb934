import assert from "node:assert/strict";
import { formatAddress } from "../../lib/address.ts";
import { whyNoEpoll } from "../../lib/linux/available.ts";
import { OwnedDirectory } from "../../lib/runtime_directory/owned_directory.ts";
import { DirectoryTaken } from "../../lib/runtime_directory/lock.ts";
import { echo, unusedAddress } from "../relay/peer.ts";
import { pause } from "../relay/waiting.ts";
import { AnotherUser, noOtherUser } from "../support/another_user.ts";
import { makeFifo } from "../support/fifo.ts";
import { brieflyOr, onlyForLong } from "../support/long.ts";
import { complete, type Finished } from "../support/programs.ts";
import { Proxy } from "../support/proxy.ts";
import { TemporaryDirectory } from "../support/temporary.ts";
import { until } from "../support/until.ts";
import { testWith, without } from "../support/tools.ts";

const UPSTREAM = "127.0.0.1:9";

function startFailing(directory: string, ...args: string[]): Promise<Finished> {
  return complete("proxy", ["127.0.0.1:0", UPSTREAM, "--runtime-dir", directory, ...args]);
}

/** The file of a proxy that another can take over from. */
const handover = Deno.env.get("RELAY") === "portable" ? [] : ["handover.sock"];

/** One line that names this, and exit code 1. */
function assertRefused({ code, stdout, stderr }: Finished, ...names: (string | RegExp)[]): void {
  assert.match(stderr, /^disnix-tcp-proxy: [^\n]+\n$/);
  for (const name of names) {
    assert.ok(typeof name === "string" ? stderr.includes(name) : name.test(stderr), stderr);
  }
  assert.deepEqual([code, stdout], [1, ""]);
}

const modeOf = (path: string) => (Deno.lstatSync(path).mode ?? 0) & 0o777;
const namesIn = (path: string) => [...Deno.readDirSync(path)].map(({ name }) => name).sort();

Deno.test("nobody but its user can reach what is in the directory", async () => {
  await using temporary = await TemporaryDirectory.make();
  const directory = `${temporary.path}/a/b`;
  await using service = await echo();
  await using proxy = await Proxy.start(service.address, { directory });
  await proxy.drain();
  const files = ["control.sock", "drain.json", ...handover, "history.jsonl", "lock"];
  // The history is written in the background, under another name at first.
  await until(() => namesIn(directory), (names) => names.join() === files.join());
  assert.equal(modeOf(directory), 0o700);
  for (const name of namesIn(directory)) assert.equal(modeOf(`${directory}/${name}`), 0o600, name);
  assert.equal(modeOf(`${temporary.path}/a`), 0o755);
});

Deno.test("with a control group only the control socket is for the group", async () => {
  await using service = await echo();
  const args = ["--control-group", `${Deno.gid()}`];
  await using proxy = await Proxy.start(service.address, { args });
  assert.equal(modeOf(proxy.directory), 0o750);
  assert.equal(modeOf(proxy.controlSocket), 0o660);
  for (const name of [...handover, "lock"]) {
    assert.equal(modeOf(`${proxy.directory}/${name}`), 0o600, name);
  }
});

testWith(
  onlyForLong,
  "at its end a proxy removes its sockets, but not those of another that has their names",
  async () => {
    await using temporary = await TemporaryDirectory.make();
    await using service = await echo();
    const directory = `${temporary.path}/proxy`;
    const remaining = async (replaced: readonly string[]) => {
      await using proxy = await Proxy.start(service.address, { directory });
      for (const name of replaced) {
        await Deno.writeTextFile(`${temporary.path}/other`, "another's");
        await Deno.rename(`${temporary.path}/other`, `${directory}/${name}`);
      }
      proxy.process.kill("SIGTERM");
      await proxy.process.finished();
      return namesIn(directory);
    };
    assert.deepEqual(await remaining([]), ["lock"]);
    const sockets = ["control.sock", ...handover];
    assert.deepEqual(await remaining(sockets), [...sockets, "lock"]);
  },
);

Deno.test("a directory that is too open is tightened, and stays when the proxy ends", async () => {
  await using temporary = await TemporaryDirectory.make();
  const directory = `${temporary.path}/open`;
  await Deno.mkdir(directory);
  await Deno.chmod(directory, 0o777);
  await using service = await echo();
  await using proxy = await Proxy.start(service.address, { directory });
  assert.equal(modeOf(directory), 0o700);
  proxy.process.kill("SIGTERM");
  await proxy.process.finished();
  assert.equal(modeOf(directory), 0o700);
});

Deno.test("a directory that others use for something else is refused, not shut", async () => {
  await using temporary = await TemporaryDirectory.make();
  await Deno.chmod(temporary.path, 0o755);
  await Deno.mkdir(`${temporary.path}/nginx`);
  assertRefused(await startFailing(temporary.path), temporary.path, '"nginx"', "--runtime-dir");
  assert.equal(modeOf(temporary.path), 0o755);
  assert.deepEqual(namesIn(temporary.path), ["nginx"]);
});

Deno.test("a symbolic link, a file and a place below a file are refused, and nothing is left", async () => {
  await using temporary = await TemporaryDirectory.make();
  const { path } = temporary;
  await Deno.mkdir(`${path}/real`, { mode: 0o755 });
  await Deno.symlink(`${path}/real`, `${path}/link`);
  await Deno.writeTextFile(`${path}/file`, "");
  assertRefused(await startFailing(`${path}/link`), `${path}/link is a symbolic link`);
  assertRefused(await startFailing(`${path}/file`), `${path}/file is not a directory`);
  assertRefused(await startFailing(`${path}/file/below`), `${path}/file/below`);
  assert.deepEqual(namesIn(path), ["file", "link", "real"]);
  assert.deepEqual(namesIn(`${path}/real`), []);
});

Deno.test("a lock that is a symbolic link is refused", async () => {
  await using temporary = await TemporaryDirectory.make();
  await Deno.writeTextFile(`${temporary.path}/precious`, "precious");
  await Deno.mkdir(`${temporary.path}/proxy`);
  await Deno.symlink(`${temporary.path}/precious`, `${temporary.path}/proxy/lock`);
  assertRefused(await startFailing(`${temporary.path}/proxy`), "lock is a symbolic link");
  assert.equal(await Deno.readTextFile(`${temporary.path}/precious`), "precious");
});

Deno.test("a path is refused from the first byte on that a Unix socket cannot take", async () => {
  await using temporary = await TemporaryDirectory.make();
  const longest = `${temporary.path}/`.padEnd(88, "x");
  const tooLong = `${longest}x`;
  assertRefused(await startFailing(tooLong), tooLong, "at most 88 bytes", "--runtime-dir");
  // A letter of two bytes counts twice.
  assertRefused(await startFailing(`${longest.slice(0, -1)}é`), "at most 88 bytes");
  assert.deepEqual(namesIn(temporary.path), []);
  await using service = await echo();
  await using proxy = await Proxy.start(service.address, { directory: longest });
  assert.equal((await proxy.ctl(["status"])).code, 0);
});

Deno.test("an empty --runtime-dir is refused", async () => {
  const { code, stdout, stderr } = await startFailing("");
  assert.match(stderr, /^disnix-tcp-proxy: --runtime-dir is empty: [^\n]+\n$/);
  assert.deepEqual([code, stdout], [2, ""]);
});

Deno.test("a second proxy that is not to take over is refused, naming the first one's process", async () => {
  await using service = await echo();
  await using proxy = await Proxy.start(service.address);
  const pid = `process ${proxy.process.pid}`;
  const { directory } = proxy;
  const refused = await startFailing(directory, "--takeover", "never");
  assertRefused(refused, pid, directory, "--runtime-dir");
  assert.equal((await proxy.status()).state, "open");
  assert.deepEqual(namesIn(proxy.directory), ["control.sock", ...handover, "lock"]);
});

Deno.test("a start that fails leaves nothing behind: not the directory, nor those above it", async () => {
  await using service = await echo();
  await using temporary = await TemporaryDirectory.make();
  const args = [formatAddress(service.address), UPSTREAM, "--runtime-dir"];
  assertRefused(
    await complete("proxy", [...args, `${temporary.path}/a/b/c`]),
    `Failed to listen on ${formatAddress(service.address)}: the port is taken`,
  );
  assert.deepEqual(namesIn(temporary.path), []);
  await Deno.mkdir(`${temporary.path}/mine`);
  assertRefused(await complete("proxy", [...args, `${temporary.path}/mine`]));
  assert.deepEqual(namesIn(`${temporary.path}/mine`), []);
});

testWith(
  onlyForLong,
  "where there is no address of that kind to listen on, the line says which",
  async () => {
    await using temporary = await TemporaryDirectory.make();
    const { port } = await unusedAddress();
    const listen = `192.0.2.1:${port}`;
    const finished = await complete("proxy", [listen, UPSTREAM, "--runtime-dir", temporary.path]);
    assertRefused(finished, `Failed to listen on ${listen}`);
  },
);

Deno.test("a control group that does not exist is refused before anything is made", async () => {
  await using temporary = await TemporaryDirectory.make();
  const finished = await startFailing(`${temporary.path}/x`, "--control-group", "no-such-group");
  assertRefused(finished, '"no-such-group"', "--control-group");
  assert.deepEqual(namesIn(temporary.path), []);
});

Deno.test("$RUNTIME_DIRECTORY is used, the first of several, unless --runtime-dir is given", async () => {
  await using temporary = await TemporaryDirectory.make();
  await using service = await echo();
  await using proxy = await Proxy.start(service.address, {
    env: { RUNTIME_DIRECTORY: `${temporary.path}/unused` },
  });
  assert.equal((await proxy.status()).state, "open");
  assert.deepEqual(namesIn(temporary.path), []);
  const finished = await complete("proxy", ["127.0.0.1:0", UPSTREAM, "--takeover=never"], {
    env: { RUNTIME_DIRECTORY: `${proxy.directory}:${temporary.path}/second` },
  });
  assertRefused(finished, `the runtime directory ${proxy.directory}`);
});

testWith(
  noOtherUser(),
  "a member of the control group controls it, another user gets 6",
  async () => {
    await using user = await AnotherUser.make();
    await using service = await echo();
    const group = 54322;
    const args = ["--control-group", `${group}`];
    await using temporary = await TemporaryDirectory.make();
    await Deno.chmod(temporary.path, 0o755);
    const directory = `${temporary.path}/proxy`;
    await using _proxy = await Proxy.start(service.address, { args, directory });
    const status = ["status", "--runtime-dir", directory];
    const member = await user.complete("proxyctl", status, { group });
    assert.deepEqual([member.code, member.stderr], [0, ""]);
    const stranger = await user.complete("proxyctl", status);
    assert.equal(stranger.code, 6);
    assert.match(stranger.stderr, /^proxyctl: Permission denied .*--control-group\n$/);
  },
);

testWith(
  noOtherUser(),
  "a directory of another user, or in a place that cannot be written, is refused",
  async () => {
    await using user = await AnotherUser.make();
    await using temporary = await TemporaryDirectory.make();
    await Deno.chmod(temporary.path, 0o755);
    const start = (directory: string, ...args: string[]) =>
      user.complete("proxy", ["127.0.0.1:0", UPSTREAM, "--runtime-dir", directory, ...args]);
    assertRefused(await start(temporary.path), `${temporary.path} belongs to user 0, not to user`);
    assertRefused(await start(`${temporary.path}/new`), `${temporary.path}/new`, /denied/);
    // A group that the user is no member of.
    assertRefused(await start(`${user.home}/x/y`, "--control-group", "0"), `${user.home}/x/y`);
    assert.deepEqual(namesIn(temporary.path), []);
    assert.deepEqual(namesIn(user.home), []);
    assertRefused(await startFailing(user.home), `${user.home} belongs to user ${user.id}`);
  },
);

testWith(
  onlyForLong ?? whyNoEpoll(),
  "the portable relay neither takes over nor hands over: one clear line, and the first goes on",
  async () => {
    await using service = await echo();
    for (const [first, second] of [["epoll", "portable"], ["portable", "epoll"]] as const) {
      await using temporary = await TemporaryDirectory.make();
      const directory = `${temporary.path}/proxy`;
      await using proxy = await Proxy.start(service.address, {
        directory,
        args: [`--relay=${first}`],
      });
      const refused = await startFailing(directory, `--relay=${second}`);
      const pid = `process ${proxy.process.pid}`;
      assertRefused(refused, pid, directory, "portable relay");
      using client = await proxy.served();
      assert.equal(client.received, 2);
    }
  },
);

Deno.test("who starts while another's start fails has the directory, or finds it taken", async () => {
  await using temporary = await TemporaryDirectory.make();
  const path = `${temporary.path}/proxy`;
  for (let round = 0; round < brieflyOr(60, 300); round++) {
    const first = await OwnedDirectory.take(path, null);
    const second = OwnedDirectory.take(path, null).catch((error) => error);
    if (round % 3 > 0) await pause(round % 3 - 1);
    await first.abandon();
    const outcome = await second;
    if (outcome instanceof OwnedDirectory) await outcome.abandon();
    else assert.ok(outcome instanceof DirectoryTaken, outcome.message);
  }
});

testWith(
  without("mkfifo"),
  "a FIFO instead of the drain record is moved aside; instead of the lock it is refused",
  async () => {
    await using temporary = await TemporaryDirectory.make();
    const directory = `${temporary.path}/proxy`;
    await Deno.mkdir(directory, { mode: 0o700 });
    await makeFifo(`${directory}/lock`);
    assertRefused(await startFailing(directory), `${directory}/lock is not a regular file`);
    await Deno.remove(`${directory}/lock`);
    await makeFifo(`${directory}/drain.json`);
    await makeFifo(`${directory}/drain.json.new`);
    await using service = await echo();
    await using proxy = await Proxy.start(service.address, { directory });
    assert.match(`${(await proxy.logged("corrupt"))["message"]}`, /is not a regular file/);
    assert.ok((await Deno.lstat(`${directory}/drain.json.corrupt`)).isFifo);
    assert.equal((await proxy.status()).state, "open");
    await makeFifo(`${directory}/drain.json.new`);
    await proxy.drain();
    assert.ok((await Deno.lstat(`${directory}/drain.json`)).isFile);
  },
);
