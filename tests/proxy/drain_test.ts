import assert from "node:assert/strict";
import { echo } from "../relay/peer.ts";
import { lendProxy } from "../support/lent_proxy.ts";
import { Proxy } from "../support/proxy.ts";
import { onlyForLong } from "../support/long.ts";
import { testWith } from "../support/tools.ts";

Deno.test("a drain waits for those who are active, and holds who comes until a resume serves them", async () => {
  await using old = await echo();
  await using fresh = await echo("new:");
  await using proxy = await Proxy.start(old.address);
  using active = await proxy.served();
  await using drain = proxy.startCtl(["drain", "--owner", "me", "--reason", "upgrade"]);
  await proxy.logged("drain");
  using held = await proxy.connect();
  await held.send("hello");
  const { state, owner, reason, deadline, leaseExpires } = await proxy.until((now) =>
    now.queued === 1
  );
  assert.deepEqual([state, owner, reason, leaseExpires], ["draining", "me", "upgrade", null]);
  assert.notEqual(deadline, null);
  await active.send("still");
  assert.equal(await active.read(5), "still");
  active.finish();
  const { code, stdout } = await drain.finished();
  assert.equal(code, 0);
  assert.match(stdout, /^Drained after \S+\n$/);
  assert.equal(held.received, 0);

  const { host, port } = fresh.address;
  await proxy.retarget({ host, port });
  const resumed = await proxy.ctl(["resume", "--owner", "me"]);
  assert.match(resumed.stdout, /^Resumed; 1 client was held, the longest for \S+\n$/);
  assert.equal(await held.read(9), "new:hello");
  assert.equal((await proxy.status()).state, "open");
});

Deno.test("when the deadline passes the drain fails with 4, and nothing was cut", async () => {
  await using lent = await lendProxy();
  const { proxy } = lent;
  using active = await proxy.served();
  await using drain = proxy.startCtl(["drain", "--timeout", "300ms"]);
  await proxy.logged("drain");
  using held = await proxy.connect();
  await held.send("held");
  const { code, stdout, stderr } = await drain.finished();
  assert.equal(code, 4);
  assert.equal(stdout, "");
  assert.match(stderr, /^proxyctl: The deadline passed; traffic was resumed, nothing was cut$/m);
  assert.match(stderr, new RegExp(`^1 +${active.name} +127`, "m"));
  assert.equal(await held.read(4), "held");
  await active.send("hi");
  assert.equal(await active.read(2), "hi");
  assert.equal((await proxy.status()).state, "open");
});

Deno.test("close-idle cuts who is idle, at once, and the drain succeeds", async () => {
  await using lent = await lendProxy();
  const { proxy } = lent;
  using idle = await proxy.served();
  const { code, stdout } = await proxy.ctl(["drain", "--close-idle", "0s", "--json"]);
  assert.equal(code, 0);
  const { outcome, connectionsCut, active } = JSON.parse(stdout);
  assert.deepEqual({ outcome, connectionsCut, active }, {
    outcome: "drained",
    connectionsCut: 1,
    active: 0,
  });
  assert.equal(await idle.ending, "reset");
});

Deno.test("close-remaining cuts who is left at the deadline, and the drain succeeds", async () => {
  await using lent = await lendProxy();
  const { proxy } = lent;
  using busy = await proxy.served();
  const args = ["drain", "--timeout", "300ms", "--close-remaining", "--json"];
  const { code, stdout } = await proxy.ctl(args);
  assert.equal(code, 0);
  const { message, connectionsCut } = JSON.parse(stdout);
  assert.match(message, /^Drained after \S+; 1 connection was cut$/);
  assert.equal(connectionsCut, 1);
  assert.equal(await busy.ending, "reset");
});

Deno.test("the same owner joins a drain, and its deadline replaces the earlier one", async () => {
  await using lent = await lendProxy();
  const { proxy } = lent;
  using active = await proxy.served();
  await using first = proxy.startCtl(["drain", "--timeout", "1m"]);
  await proxy.logged("drain", 1);
  const before = Date.parse(`${(await proxy.status()).deadline}`);
  await using second = proxy.startCtl(["drain", "--timeout", "1h"]);
  const joined = await proxy.logged("drain", 2);
  assert.equal(joined["joined"], true);
  const after = Date.parse(`${(await proxy.status()).deadline}`);
  assert.ok(after - before > 50 * 60_000, `${after - before} ms`);
  active.finish();
  assert.equal((await first.finished()).code, 0);
  assert.equal((await second.finished()).code, 0);
});

Deno.test("proxyctl killed while it waits leaves no drain behind", async () => {
  await using lent = await lendProxy();
  const { proxy } = lent;
  using active = await proxy.served();
  await using drain = proxy.startCtl(["drain"]);
  await proxy.logged("drain");
  using held = await proxy.connect();
  await held.send("held");
  drain.kill("SIGKILL");
  assert.equal((await proxy.logged("resume"))["cause"], "cancelled");
  assert.equal(await held.read(4), "held");
  await active.send("hi");
  assert.equal(await active.read(2), "hi");
});

Deno.test("a drain that nobody waits for goes on by itself until it is drained", async () => {
  await using lent = await lendProxy();
  const { proxy } = lent;
  using active = await proxy.served();
  const { code, stdout } = await proxy.ctl(["drain", "--no-wait"]);
  assert.equal(code, 0);
  assert.equal(stdout, "Draining, 1 active; not waiting for it\n");
  assert.equal((await proxy.status()).state, "draining");
  active.finish();
  await proxy.logged("drained");
});

testWith(
  onlyForLong,
  "a drain that nobody waits for ends at once where nothing is active",
  async () => {
    await using lent = await lendProxy();
    const { proxy } = lent;
    const text = await proxy.ctl(["drain", "--no-wait"]);
    assert.deepEqual([text.code, text.stdout], [0, "Drained\n"]);
    const again = await proxy.ctl(["drain", "--no-wait", "--json"]);
    assert.equal(again.code, 0);
    assert.equal(JSON.parse(again.stdout).state, "drained");
  },
);

Deno.test("a lease that expires serves the held clients, and the log warns", async () => {
  await using lent = await lendProxy();
  const { proxy } = lent;
  await proxy.drain({ lease: "600ms" });
  using held = await proxy.connect();
  await held.send("held");
  assert.equal(await held.read(4), "held");
  const { cause, level } = await proxy.logged("resume");
  assert.deepEqual([cause, level], ["lease", "WARN"]);
});

Deno.test("who waits for a drain that somebody else ends gets 9", async () => {
  await using lent = await lendProxy();
  const { proxy } = lent;
  using _active = await proxy.served();
  await using drain = proxy.startCtl(["drain", "--owner", "me"]);
  await proxy.logged("drain");
  assert.equal((await proxy.ctl(["resume", "--owner", "you"])).code, 5);
  assert.equal((await proxy.ctl(["resume", "--owner", "you", "--force"])).code, 0);
  const { code, stderr } = await drain.finished();
  assert.equal(code, 9);
  assert.match(stderr, /^proxyctl: The drain was ended by "you", by force$/m);
});

for (const signal of ["SIGTERM", "SIGKILL"] as const) {
  testWith(onlyForLong, `who waits for a drain when the proxy gets ${signal} gets 9`, async () => {
    await using service = await echo();
    await using proxy = await Proxy.start(service.address, { args: ["--stop-timeout", "0s"] });
    using _active = await proxy.served();
    await using drain = proxy.startCtl(["drain"]);
    await drain.heard(/Draining/);
    proxy.process.kill(signal);
    const { code, stderr } = await drain.finished();
    assert.equal(code, 9);
    const said = signal === "SIGTERM" ? /The proxy stopped before it was drained/ : /went away/;
    assert.match(stderr, said);
  });
}

testWith(
  onlyForLong,
  "a client that is gone before its drain began leaves none behind",
  async () => {
    await using service = await echo();
    await using proxy = await Proxy.start(service.address);
    using _active = await proxy.served();
    proxy.process.kill("SIGSTOP");
    const socket = await Deno.connect({ transport: "unix", path: proxy.controlSocket });
    const body = '{"owner":"gone"}';
    const head = `POST /v1/drain HTTP/1.1\r\nhost: a\r\ncontent-length: ${body.length}\r\n\r\n`;
    await socket.write(new TextEncoder().encode(head + body));
    socket.close();
    proxy.process.kill("SIGCONT");
    await proxy.logged("drain");
    assert.equal((await proxy.logged("resume"))["cause"], "cancelled");
  },
);
