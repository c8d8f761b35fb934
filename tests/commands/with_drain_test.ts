import assert from "node:assert/strict";
import type { Status } from "../../lib/control/api.ts";
import { echo, Service, unusedAddress } from "../relay/peer.ts";
import { lendProxy } from "../support/lent_proxy.ts";
import { Proxy } from "../support/proxy.ts";
import { TemporaryDirectory } from "../support/temporary.ts";
import { onlyForLong } from "../support/long.ts";
import { testWith } from "../support/tools.ts";

const shell = (script: string) => ["with-drain", "--", "sh", "-c", script];

Deno.test("the command runs drained, with its own words, streams and environment, and then all is resumed", async () => {
  await using lent = await lendProxy();
  const { proxy } = lent;
  await using running = proxy.startCtl(
    [
      "with-drain",
      "--lease",
      "5m",
      "--",
      "sh",
      "-c",
      'read -r line; echo "$line $0 $EXTRA"',
      "--port",
      "--json",
    ],
    { env: { EXTRA: "extra" } },
  );
  await proxy.logged("drained");
  const { state, owner, reason } = await proxy.status();
  assert.equal(state, "drained");
  assert.match(`${owner}`, new RegExp(`^with-drain ${running.pid} \\(.+\\)$`));
  assert.match(`${reason}`, /^sh -c read/);
  await running.write("in\n");
  const { code, stdout } = await running.finished();
  assert.deepEqual([code, stdout], [0, "in --port extra\n"]);
  assert.equal((await proxy.status()).state, "open");
});

for (
  const [what, script, expected] of [
    ["fails", "exit 7", 7],
    ["is ended by a signal", "kill -TERM $$", 143],
    ["is killed", "kill -KILL $$", 137],
  ] as const
) {
  Deno.test(`a command that ${what} passes its exit code on, and all is resumed`, async () => {
    await using lent = await lendProxy();
    const { proxy } = lent;
    assert.equal((await proxy.ctl(shell(script))).code, expected);
    assert.equal((await proxy.logged("resume"))["cause"], "resumed");
    assert.equal((await proxy.status()).state, "open");
  });
}

for (
  const [what, command, expected] of [
    ["does not exist", "no-such-command-here", 127],
    ["cannot be executed", "/etc/passwd", 126],
  ] as const
) {
  Deno.test(`a command that ${what} is said in one line with ${expected}, before anything is drained`, async () => {
    await using lent = await lendProxy();
    const { proxy } = lent;
    const { code, stderr } = await proxy.ctl(["with-drain", "--", command]);
    assert.equal(code, expected);
    assert.match(stderr, new RegExp(`^proxyctl: Failed to run "${command}": .*\n$`));
    assert.deepEqual(proxy.log("drain"), []);
  });
}

Deno.test("without PATH a command needs its own, which is said before anything is drained", async () => {
  await using lent = await lendProxy();
  const { proxy } = lent;
  const through = ["env", "-u", "PATH"];
  const { code, stderr } = await proxy.ctl(["with-drain", "--", "true"], { through });
  assert.equal(code, 127);
  // From source Deno sets one, in which there is nothing.
  assert.match(stderr, /^proxyctl: Failed to run "true": (PATH is not set, .*|no such command)\n$/);
  assert.deepEqual(proxy.log("drain"), []);
  assert.equal((await proxy.ctl(["with-drain", "--", "/bin/true"], { through })).code, 0);
});

Deno.test("SIGTERM is forwarded to the command, which decides what it means", async () => {
  await using lent = await lendProxy();
  const { proxy } = lent;
  await using running = proxy.startCtl(
    shell('trap "echo asked; exit 5" TERM; echo ready; while kill -0 $PPID; do sleep 0.05; done'),
  );
  await running.heard(/ready/, "stdout");
  running.kill("SIGTERM");
  const { code, stdout } = await running.finished();
  assert.deepEqual([code, stdout], [5, "ready\nasked\n"]);
  assert.equal((await proxy.status()).state, "open");
});

Deno.test("proxyctl killed while the command runs: all is resumed", async () => {
  await using lent = await lendProxy();
  const { proxy } = lent;
  await using running = proxy.startCtl(shell("echo ready; read -r line"));
  await running.heard(/ready/, "stdout");
  using held = await proxy.connect();
  await held.send("hi");
  running.kill("SIGKILL");
  assert.equal(await held.read(2), "hi");
  assert.equal((await proxy.status()).state, "open");
});

Deno.test("proxyctl ended while it waits for the drain: all is resumed, and nothing was run", async () => {
  await using lent = await lendProxy();
  const { proxy } = lent;
  using _active = await proxy.served();
  await using running = proxy.startCtl(shell("echo never"));
  await running.heard(/Draining/);
  running.kill("SIGTERM");
  const { stdout } = await running.finished();
  assert.equal(stdout, "");
  assert.equal((await proxy.logged("resume"))["cause"], "cancelled");
});

Deno.test("when the lease expires under the command it goes on, and proxyctl ends with 9", async () => {
  await using lent = await lendProxy();
  const { proxy } = lent;
  await using running = proxy.startCtl(
    ["with-drain", "--lease", "100ms", "--", "sh", "-c", "read -r line; echo done"],
  );
  await proxy.logged("resume");
  assert.equal((await proxy.status()).state, "open");
  await running.write("\n");
  const { code, stdout, stderr } = await running.finished();
  assert.deepEqual([code, stdout], [9, "done\n"]);
  assert.match(stderr, /\nproxyctl: The drain ended while .* running: The lease expired; .*\n$/);
});

Deno.test("a lease that expires in the moment in which the command ends is told as well", async () => {
  await using lent = await lendProxy();
  const { proxy } = lent;
  // Both are there when it goes on.
  const command = "kill -STOP $PPID; read -r line; kill -CONT $PPID";
  await using running = proxy.startCtl([
    "with-drain",
    "--lease",
    "100ms",
    "--",
    "sh",
    "-c",
    command,
  ]);
  await running.heard(/running/, "stderr");
  await proxy.until(({ state }) => state === "open");
  await running.write("\n");
  const { code, stderr } = await running.finished();
  assert.equal(code, 9, stderr);
  assert.match(stderr, /The drain ended while .* running: The lease expired; .*\n$/);
});

Deno.test("a command that fails after its lease has expired keeps its own exit code", async () => {
  await using lent = await lendProxy();
  const { proxy } = lent;
  await using running = proxy.startCtl(
    ["with-drain", "--lease", "100ms", "--", "sh", "-c", "read -r line; exit 3"],
  );
  await proxy.logged("resume");
  await running.write("\n");
  assert.equal((await running.finished()).code, 3);
});

Deno.test("while another holds the proxy nothing is run", async () => {
  await using lent = await lendProxy();
  const { proxy } = lent;
  assert.equal((await proxy.ctl(["drain", "--owner", "me"])).code, 0);
  const { code, stdout, stderr } = await proxy.ctl(shell("echo never"));
  assert.deepEqual([code, stdout], [5, ""]);
  assert.match(stderr, /^proxyctl: The proxy is drained by "me" .*resume --owner me\n$/);
  assert.equal((await proxy.status()).owner, "me");
});

Deno.test("when the drain fails by its deadline nothing is run, and the exit code is 4", async () => {
  await using lent = await lendProxy();
  const { proxy } = lent;
  using _active = await proxy.served();
  const { code, stdout } = await proxy.ctl([
    "with-drain",
    "--timeout",
    "100ms",
    "--",
    "echo",
    "never",
  ]);
  assert.deepEqual([code, stdout], [4, ""]);
});

testWith(onlyForLong, "two at the same time do not run at the same time", async () => {
  await using lent = await lendProxy();
  const { proxy } = lent;
  await using first = proxy.startCtl(shell("echo ready; read -r line"));
  await first.heard(/ready/, "stdout");
  assert.equal((await proxy.ctl(shell("echo never"))).code, 5);
  await first.write("\n");
  assert.equal((await first.finished()).code, 0);
});

Deno.test("with-drain resumes a proxy that was restarted under the command, and exits 9", async () => {
  await using service = await echo();
  await using directory = await TemporaryDirectory.make();
  const options = { directory: `${directory.path}/proxy` };
  await using first = await Proxy.start(service.address, options);
  await using command = first.startCtl(["with-drain", "--", "sh", "-c", "echo ready; read line"]);
  await command.heard(/ready/, "stdout");
  await first.crash();
  await using second = await Proxy.start(service.address, options);
  assert.equal((await second.status()).state, "drained");
  await command.write("go on\n");
  assert.equal((await command.finished()).code, 9);
  assert.equal((await second.status()).state, "open");
});

Deno.test("what happens is said on stderr: when it is drained, for what, and who was held", async () => {
  await using lent = await lendProxy();
  const { proxy } = lent;
  await using running = proxy.startCtl(shell("read -r line"));
  await running.heard(/^Drained after \S+, running sh -c 'read -r line'\n$/);
  using _held = await proxy.connect();
  await proxy.until(({ queued }) => queued === 1);
  await running.write("\n");
  const { code, stdout, stderr } = await running.finished();
  assert.deepEqual([code, stdout], [0, ""]);
  assert.match(stderr, /\nResumed; 1 client was held, the longest for \S+\n$/);
});

Deno.test("a program that turns out to be none once it is drained is said with 126, and all is resumed", async () => {
  await using lent = await lendProxy();
  const { proxy } = lent;
  const file = `${proxy.directory}/script`;
  await Deno.writeTextFile(file, "#!/no/such/interpreter\n", { mode: 0o755 });
  const { code, stderr } = await proxy.ctl(["with-drain", "--", file]);
  assert.match(stderr, /\nproxyctl: Failed to run ".*script": .*\nResumed; nobody was held\n$/);
  assert.ok(code === 126 || code === 127, `${code}`);
  assert.equal((await proxy.status()).state, "open");
});

Deno.test("with --wait-upstream nobody is served before the service answers that was restarted", async () => {
  const address = await unusedAddress();
  await using proxy = await Proxy.start(address);
  await using running = proxy.startCtl(["with-drain", "--wait-upstream", "1m", "--", "true"]);
  await running.heard(/Waiting for the upstream to answer/);
  assert.equal((await proxy.status()).state, "drained");
  await using _service = await Service.start(address, ({ socket }) => socket.end());
  const { code, stderr } = await running.finished();
  assert.deepEqual([code, (await proxy.status()).state], [0, "open"], stderr);
});

Deno.test("a service that does not answer in time: 7, and resumed, unless it is to stay drained", async () => {
  await using proxy = await Proxy.start(await unusedAddress());
  const wait = ["with-drain", "--wait-upstream", "100ms"];
  const resumed = await proxy.ctl([...wait, "--", "true"]);
  assert.equal(resumed.code, 7);
  assert.match(
    resumed.stderr,
    /does not answer; the proxy is drained\nResumed; nobody was held\n$/,
  );
  assert.equal((await proxy.status()).state, "open");
  assert.equal((await proxy.ctl([...wait, "--", "sh", "-c", "exit 3"])).code, 3);

  assert.equal((await proxy.ctl([...wait, "--stay-drained", "--", "true"])).code, 7);
  assert.equal((await proxy.status()).state, "drained");
});

/** Has a command fail for which clients are to be held on. @returns how it is then */
async function failed(proxy: Proxy): Promise<Status> {
  const args = ["with-drain", "--stay-drained", "--lease", "5m", "--", "sh", "-c", "exit 3"];
  const { code, stderr } = await proxy.ctl(args);
  const status = await proxy.status();
  assert.deepEqual([code, status.state], [3, "drained"]);
  assert.ok(stderr.includes(`proxyctl with-drain --owner '${status.owner}' -- sh -c 'exit 3'\n`));
  assert.ok(stderr.endsWith(`proxyctl resume --owner '${status.owner}'\n`));
  return status;
}

Deno.test("a command that fails leaves all drained with --stay-drained, for a second try or until it is resumed", async () => {
  await using lent = await lendProxy();
  const { proxy } = lent;
  const first = await failed(proxy);
  using held = await proxy.connect();
  await held.send("hi");
  const again = await proxy.ctl(["with-drain", "--owner", `${first.owner}`, "--", "echo", "done"]);
  assert.deepEqual([again.code, again.stdout], [0, "done\n"]);
  assert.match(again.stderr, /^Already drained, running echo done\nResumed; 1 client was held/);
  assert.equal(await held.read(2), "hi");
  held.finish();

  const second = await failed(proxy);
  assert.equal((await proxy.ctl(["resume", "--owner", "somebody else"])).code, 5);
  assert.equal((await proxy.ctl(["resume", "--owner", `${second.owner}`])).code, 0);
});

testWith(
  onlyForLong,
  "what stays drained survives a crash, and can be taken over then as well",
  async () => {
    await using service = await echo();
    await using directory = await TemporaryDirectory.make();
    const options = { directory: `${directory.path}/proxy` };
    await using first = await Proxy.start(service.address, options);
    const { owner } = await failed(first);
    await first.crash();
    await using second = await Proxy.start(service.address, options);
    assert.equal((await second.ctl(["with-drain", "--owner", `${owner}`, "--", "true"])).code, 0);
    assert.equal((await second.status()).state, "open");
  },
);

testWith(
  onlyForLong,
  "a drain that was taken over ends with who took it over, and nobody else can meanwhile",
  async () => {
    await using lent = await lendProxy();
    const { proxy } = lent;
    const { owner } = await failed(proxy);
    const takeOver = (
      ...command: string[]
    ) => ["with-drain", "--owner", `${owner}`, "--", ...command];
    await using running = proxy.startCtl(takeOver("sh", "-c", "echo ready; read -r line"));
    await running.heard(/ready/, "stdout");
    const refused = await proxy.ctl(takeOver("echo", "never"));
    assert.deepEqual([refused.code, refused.stdout], [5, ""]);
    running.kill("SIGKILL");
    await proxy.until(({ state }) => state === "open");
  },
);

testWith(
  onlyForLong,
  "a take-over that was refused leaves the resume of the one who runs as it is",
  async () => {
    await using lent = await lendProxy();
    const { proxy } = lent;
    const run = (...command: string[]) => ["with-drain", "--owner", "me", "--", ...command];
    await using running = proxy.startCtl(run("sh", "-c", "echo ready; read -r line"));
    await running.heard(/ready/, "stdout");
    assert.equal((await proxy.ctl(run("echo", "never"))).code, 5);
    await running.write("\n");
    assert.match((await running.finished()).stderr, /\nResumed; nobody was held\n$/);
  },
);

Deno.test("only what is drained can stay so, and only for its owner", async () => {
  await using lent = await lendProxy();
  const { proxy } = lent;
  const stay = async (owner: string) => {
    const { status, text } = await proxy.request("POST", "/v1/stay-drained", { owner });
    return [status, JSON.parse(text).error?.code];
  };
  assert.deepEqual(await stay("me"), [409, "not_drained"]);
  await proxy.drain();
  assert.deepEqual(await stay("you"), [409, "held_by_another"]);
  assert.deepEqual(await stay("me"), [200, undefined]);
});
