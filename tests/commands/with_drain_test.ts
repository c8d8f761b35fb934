import assert from "node:assert/strict";
import { echo } from "../relay/peer.ts";
import { Proxy } from "../support/proxy.ts";
import { TemporaryDirectory } from "../support/temporary.ts";

const shell = (script: string) => ["with-drain", "--", "sh", "-c", script];

Deno.test("the command runs drained, with its own words, streams and environment, and then all is resumed", async () => {
  await using service = await echo();
  await using proxy = await Proxy.start(service.address);
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
    await using service = await echo();
    await using proxy = await Proxy.start(service.address);
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
  Deno.test(`a command that ${what} is said in one line with ${expected}, and all is resumed`, async () => {
    await using service = await echo();
    await using proxy = await Proxy.start(service.address);
    const { code, stderr } = await proxy.ctl(["with-drain", "--", command]);
    assert.equal(code, expected);
    assert.match(stderr, new RegExp(`^proxyctl: Failed to run "${command}": .*\n$`));
    assert.equal((await proxy.status()).state, "open");
  });
}

Deno.test("SIGTERM is forwarded to the command, which decides what it means", async () => {
  await using service = await echo();
  await using proxy = await Proxy.start(service.address);
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
  await using service = await echo();
  await using proxy = await Proxy.start(service.address);
  await using running = proxy.startCtl(shell("echo ready; read -r line"));
  await running.heard(/ready/, "stdout");
  using held = await proxy.connect();
  await held.send("hi");
  running.kill("SIGKILL");
  assert.equal(await held.read(2), "hi");
  assert.equal((await proxy.status()).state, "open");
});

Deno.test("proxyctl ended while it waits for the drain: all is resumed, and nothing was run", async () => {
  await using service = await echo();
  await using proxy = await Proxy.start(service.address);
  using _active = await proxy.served();
  await using running = proxy.startCtl(shell("echo never"));
  await running.heard(/Draining/);
  running.kill("SIGTERM");
  const { stdout } = await running.finished();
  assert.equal(stdout, "");
  assert.equal((await proxy.logged("resume"))["cause"], "cancelled");
});

Deno.test("when the lease expires under the command it goes on, and proxyctl ends with 9", async () => {
  await using service = await echo();
  await using proxy = await Proxy.start(service.address);
  await using running = proxy.startCtl(
    ["with-drain", "--lease", "100ms", "--", "sh", "-c", "read -r line; echo done"],
  );
  await proxy.logged("resume");
  assert.equal((await proxy.status()).state, "open");
  await running.write("\n");
  const { code, stdout, stderr } = await running.finished();
  assert.deepEqual([code, stdout], [9, "done\n"]);
  assert.match(stderr, /^proxyctl: The drain ended while .* running: The lease expired; .*\n$/);
});

Deno.test("a command that fails after its lease has expired keeps its own exit code", async () => {
  await using service = await echo();
  await using proxy = await Proxy.start(service.address);
  await using running = proxy.startCtl(
    ["with-drain", "--lease", "100ms", "--", "sh", "-c", "read -r line; exit 3"],
  );
  await proxy.logged("resume");
  await running.write("\n");
  assert.equal((await running.finished()).code, 3);
});

Deno.test("while another holds the proxy nothing is run", async () => {
  await using service = await echo();
  await using proxy = await Proxy.start(service.address);
  assert.equal((await proxy.ctl(["drain", "--owner", "me"])).code, 0);
  const { code, stdout, stderr } = await proxy.ctl(shell("echo never"));
  assert.deepEqual([code, stdout], [5, ""]);
  assert.match(stderr, /^proxyctl: The proxy is drained by "me" .*resume --owner me\n$/);
  assert.equal((await proxy.status()).owner, "me");
});

Deno.test("when the drain fails by its deadline nothing is run, and the exit code is 4", async () => {
  await using service = await echo();
  await using proxy = await Proxy.start(service.address);
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

Deno.test("two at the same time do not run at the same time", async () => {
  await using service = await echo();
  await using proxy = await Proxy.start(service.address);
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
