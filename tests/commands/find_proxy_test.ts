import assert from "node:assert/strict";
import { formatAddress } from "../../lib/address.ts";
import { whyNoEpoll } from "../../lib/linux/available.ts";
import { AnotherUser, noOtherUser } from "../support/another_user.ts";
import { echo } from "../relay/peer.ts";
import { lendProxy } from "../support/lent_proxy.ts";
import { commandOf, complete, Running } from "../support/programs.ts";
import { TemporaryDirectory } from "../support/temporary.ts";
import { testWith, without } from "../support/tools.ts";

Deno.test("--runtime-dir stands before or after the verb, and may be relative", async () => {
  await using lent = await lendProxy();
  const { proxy } = lent;
  const { directory } = proxy;
  const cwd = directory.slice(0, directory.lastIndexOf("/"));
  for (
    const args of [
      ["--runtime-dir", directory, "status", "--json"],
      ["status", "--json", "--runtime-dir", directory],
      ["status", `--runtime-dir=${directory}/../proxy`, "--json"],
      ["status", "--json", "--runtime-dir", "proxy"],
    ]
  ) {
    const { code, stdout } = await complete("proxyctl", args, { cwd });
    assert.equal(code, 0, args.join(" "));
    assert.equal(JSON.parse(stdout).pid, proxy.process.pid);
  }
});

Deno.test("$PROXYCTL_RUNTIME_DIR is used unless an option names another", async () => {
  await using lent = await lendProxy();
  const { proxy } = lent;
  const env = { PROXYCTL_RUNTIME_DIR: proxy.directory };
  const { code, stdout } = await complete("proxyctl", ["status", "--json"], { env });
  assert.equal(code, 0);
  assert.equal(JSON.parse(stdout).pid, proxy.process.pid);
  const other = await complete("proxyctl", ["status", "--runtime-dir", "/none"], { env });
  assert.deepEqual([other.code, other.stderr], [3, "proxyctl: No proxy runs at /none\n"]);
  assert.equal((await complete("proxyctl", ["status", "--port", "1"], { env })).code, 3);
});

Deno.test("a name that is empty or double is refused before anything is done", async () => {
  for (
    const [args, said] of [
      [["drain", "--runtime-dir", ""], "--runtime-dir is empty"],
      [["drain", "--runtime-dir", "/x", "--port", "1"], "give only one"],
      [["--port", "1", "drain", "--runtime-dir", "/x"], "give only one"],
    ] as const
  ) {
    const { code, stderr } = await complete("proxyctl", args);
    assert.equal(code, 2);
    assert.match(stderr, /^proxyctl: [^\n]+\n$/);
    assert.ok(stderr.includes(said), stderr);
  }
});

testWith(
  noOtherUser(),
  "a proxy in the default directory is found by itself, and by port",
  async () => {
    await using user = await AnotherUser.make();
    await using service = await echo();
    const env = { XDG_RUNTIME_DIR: user.home };
    const upstream = formatAddress(service.address);
    const ctl = (...args: string[]) => user.complete("proxyctl", args, { env });
    const portOf = async (proxy: Running) =>
      (await proxy.heard(/"event":"listen","listen":"[^"]*:(\d+)"/))[1] ?? "";

    const nothing = await ctl("status");
    assert.equal(nothing.code, 3);
    assert.match(nothing.stderr, /^proxyctl: No proxy runs in the default directories: .*\n$/);

    // A port that is free now is good enough: nothing else on this machine chooses ports itself.
    const free = await echo();
    const { port } = free.address;
    await free[Symbol.asyncDispose]();
    await using first = await user.start("proxy", [`${port}`, upstream], { env });
    assert.equal(await portOf(first), `${port}`);
    assert.equal((await ctl("drain")).code, 0);

    await using second = await user.start("proxy", ["127.0.0.1:0", upstream], { env });
    await portOf(second);
    const several = await ctl("status");
    assert.equal(several.code, 2);
    assert.match(
      several.stderr,
      /^proxyctl: Several proxies run, name one with --port or --runtime-dir:\n {2}\/.*\n {2}\/.*\n$/,
    );
    assert.ok(several.stderr.includes(`${user.home}/disnix-tcp-proxy/127.0.0.1:0 (127.0.0.1:`));
    for (
      const args of [["--port", `${port}`, "status", "--json"], [
        "status",
        "--json",
        "--port",
        `${port}`,
      ]]
    ) {
      const { code, stdout } = await ctl(...args);
      assert.deepEqual([code, JSON.parse(stdout).pid], [0, first.pid]);
    }
    // One that does not answer may still be the one that is meant.
    second.kill("SIGSTOP");
    const hangs = await ctl("drain");
    assert.equal(hangs.code, 2);
    assert.ok(hangs.stderr.includes("127.0.0.1:0 (does not answer)"), hangs.stderr);

    // Those that are gone do not count, though their directories are still there.
    second.kill("SIGKILL");
    await second.finished();
    const only = await ctl("resume", "--json");
    assert.deepEqual([only.code, JSON.parse(only.stdout).changed], [0, true]);

    const taken = await user.complete("proxy", [`127.0.0.1:${port}`, upstream], { env });
    assert.equal(taken.code, 1);
    assert.match(taken.stderr, new RegExp(`taken by the proxy with process ${first.pid} and /`));
  },
);

testWith(noOtherUser(), "without $XDG_RUNTIME_DIR a user is asked for --runtime-dir", async () => {
  await using user = await AnotherUser.make();
  const proxy = await user.complete("proxy", ["0", "127.0.0.1:9"], {
    env: { XDG_RUNTIME_DIR: "" },
  });
  assert.equal(proxy.code, 1);
  assert.match(proxy.stderr, /^disnix-tcp-proxy: .*XDG_RUNTIME_DIR.*--runtime-dir\n$/);
  const ctl = await user.complete("proxyctl", ["status"], { env: { XDG_RUNTIME_DIR: "" } });
  assert.equal(ctl.code, 3);
  assert.match(ctl.stderr, /^proxyctl: .*XDG_RUNTIME_DIR.*--runtime-dir\n$/);
});

const noPrivateRun = noOtherUser() ?? without("unshare") ??
  (canMount() ? null : "no right to mount");

testWith(
  noPrivateRun,
  "root's default directory is in /run, and others can look for theirs there",
  async () => {
    await using temporary = await TemporaryDirectory.make();
    const script = `${temporary.path}/script`;
    const [proxy, ctl] = [commandOf("proxy"), commandOf("proxyctl")].map((command) =>
      command.map((word) => `'${word}'`).join(" ")
    );
    await Deno.writeTextFile(
      script,
      `mount -t tmpfs none /run || exit 9
    ${proxy} localhost:0 127.0.0.1:9 & proxy=$!
    until test -S /run/disnix-tcp-proxy/localhost:0/control.sock; do sleep 0.05; done
    stat -c '%a %n' /run/disnix-tcp-proxy /run/disnix-tcp-proxy/localhost:0
    ${ctl} list --json
    ${ctl} completions ports
    kill $proxy; wait $proxy; echo "$?"`,
    );
    await using run = new Running(["unshare", "-m", "sh", script]);
    const { stdout } = await run.finished();
    const base = "/run/disnix-tcp-proxy";
    assert.ok(
      stdout.startsWith(
        `755 ${base}\n700 ${base}/localhost:0\n[{"directory":"${base}/localhost:0",`,
      ),
      stdout,
    );
    assert.ok(stdout.endsWith(`\n0 open, to 127.0.0.1:9\n0\n`), stdout);
  },
);

testWith(
  noPrivateRun,
  "--all is all that run in the default directories, and no other",
  async () => {
    await using temporary = await TemporaryDirectory.make();
    const script = `${temporary.path}/script`;
    const [proxy, ctl] = [commandOf("proxy"), commandOf("proxyctl")].map((command) =>
      command.map((word) => `'${word}'`).join(" ")
    );
    await Deno.writeTextFile(
      script,
      `mount -t tmpfs none /run || exit 9
    ${ctl} --all status; echo "$?"
    ${proxy} localhost:0 127.0.0.1:9 2>/dev/null & one=$!
    ${proxy} 127.0.0.1:0 127.0.0.1:9 2>/dev/null & two=$!
    for at in localhost 127.0.0.1; do
      until test -S "/run/disnix-tcp-proxy/$at:0/control.sock"; do sleep 0.05; done
    done
    ${ctl} --all drain --json
    ${ctl} resume --all --port 80; echo "$?"
    ${ctl} resume --all --json
    kill $one $two; wait`,
    );
    await using run = new Running(["unshare", "-m", "sh", script]);
    const { stdout } = await run.finished();
    const [nobody, drained, refused, resumed, ...more] = stdout.trimEnd().split("\n");
    assert.deepEqual([nobody, refused, more], ["3", "2", []], stdout);
    const names = ["127.0.0.1", "localhost"].map((host) => `/run/disnix-tcp-proxy/${host}:0`);
    for (const line of [drained, resumed]) {
      const { proxies } = JSON.parse(line ?? "");
      assert.deepEqual(proxies.map(({ proxy }: { proxy: string }) => proxy), names);
    }
    assert.equal(JSON.parse(drained ?? "").outcome, "drained");
  },
);

testWith(
  noPrivateRun ?? without("nsenter") ?? whyNoEpoll(),
  "what is root's is told as root's, with the command that asks it, while it runs",
  async () => {
    await using user = await AnotherUser.make();
    await using free = await echo();
    const { port } = free.address;
    await free[Symbol.asyncDispose]();
    const mount = 'mount -t tmpfs none /run && exec "$@"';
    await using proxy = new Running(
      ["unshare", "-m", "sh", "-c", mount, "sh", ...commandOf("proxy"), `${port}`, "127.0.0.1:9"],
    );
    await proxy.heard(/"event":"listen"/);
    const through = ["nsenter", "-m", "-t", `${proxy.pid}`];
    const env = { XDG_RUNTIME_DIR: user.home };
    const ctl = (...args: string[]) => user.complete("proxyctl", args, { env, through });
    const said = `proxyctl: The proxy on port ${port} belongs to root: ` +
      `sudo proxyctl --port ${port} status\n`;
    for (const args of [["status", "--port", `${port}`], ["drain"], ["list"]]) {
      const { code, stderr } = await ctl(...args);
      assert.deepEqual([code, stderr], [6, said], args.join(" "));
    }
    proxy.kill();
    const { code } = await proxy.finished();
    assert.equal(code, 0);
    // The directory stays when the proxy has ended; so does the private /run with who looks there.
    await using holder = new Running(
      [
        "unshare",
        "-m",
        "sh",
        "-c",
        `mount -t tmpfs none /run; mkdir -p -m 700 $0; echo made; cat`,
        `/run/disnix-tcp-proxy/${port}`,
      ],
    );
    await holder.heard(/made/, "stdout");
    const gone = { env, through: ["nsenter", "-m", "-t", `${holder.pid}`] };
    assert.equal((await user.complete("proxyctl", ["--port", `${port}`, "status"], gone)).code, 3);
  },
);

function canMount(): boolean {
  const args = ["-m", "mount", "-t", "tmpfs", "none", "/run"];
  try {
    return new Deno.Command("unshare", { args, stderr: "null" }).outputSync().success;
  } catch {
    return false;
  }
}
