import assert from "node:assert/strict";
import { formatAddress } from "../../lib/address.ts";
import { echo } from "../relay/peer.ts";
import { onlyForLong } from "../support/long.ts";
import { complete } from "../support/programs.ts";
import { Proxy } from "../support/proxy.ts";
import { TemporaryDirectory } from "../support/temporary.ts";
import { testWith } from "../support/tools.ts";

const DRAIN = ["drain", "--owner", "me"];

Deno.test("a proxy killed while drained is drained again: clients are held, and the owner resumes", async () => {
  await using temporary = await TemporaryDirectory.make();
  const directory = `${temporary.path}/proxy`;
  await using service = await echo();
  await using first = await Proxy.start(service.address, { directory });
  await first.drain({ reason: "upgrade" });
  const before = await first.status();
  await first.crash();
  assert.equal((await first.ctl(["status"])).code, 3);

  await using second = await Proxy.start(service.address, { directory });
  const { state, owner, reason, since } = await second.status();
  assert.deepEqual([state, owner, reason], ["drained", "me", "upgrade"]);
  assert.equal(since, before.since);
  using held = await second.connect();
  await held.send("hi");
  await second.until((now) => now.queued === 1);
  assert.equal(held.received, 0);
  assert.equal((await second.ctl(["resume", "--owner", "you"])).code, 5);
  await second.resume();
  assert.equal(await held.read(2), "hi");
});

testWith(
  onlyForLong,
  "a proxy killed while drained is open again once the lease is over, and says so",
  async () => {
    await using temporary = await TemporaryDirectory.make();
    const directory = `${temporary.path}/proxy`;
    await using service = await echo();
    await using first = await Proxy.start(service.address, { directory });
    await first.drain({ lease: "50ms" });
    await first.crash();
    await new Promise((resolve) => setTimeout(resolve, 50));
    await using second = await Proxy.start(service.address, { directory });
    assert.equal((await second.status()).state, "open");
  },
);

testWith(
  onlyForLong,
  "a proxy killed while draining is open again, loudly, for nobody waits any more",
  async () => {
    await using temporary = await TemporaryDirectory.make();
    const directory = `${temporary.path}/proxy`;
    await using service = await echo();
    await using first = await Proxy.start(service.address, { directory });
    using _active = await first.served();
    await using _drain = first.startCtl(DRAIN);
    await first.logged("drain");
    await first.crash();
    await using second = await Proxy.start(service.address, { directory });
    assert.equal((await second.logged("abandoned"))["level"], "WARN");
    using client = await second.served();
    assert.equal(client.received, 2);
    assert.equal((await second.status()).state, "open");
  },
);

testWith(
  onlyForLong,
  "a proxy killed in a drain that nobody waits for is drained when it starts again",
  async () => {
    await using temporary = await TemporaryDirectory.make();
    const directory = `${temporary.path}/proxy`;
    await using service = await echo();
    await using first = await Proxy.start(service.address, { directory });
    using _active = await first.served();
    assert.equal((await first.ctl([...DRAIN, "--no-wait"])).code, 0);
    await first.crash();
    await using second = await Proxy.start(service.address, { directory });
    assert.equal((await second.status()).state, "drained");
  },
);

Deno.test("a retarget during a drain survives a crash, unless the command line now says another", async () => {
  await using temporary = await TemporaryDirectory.make();
  const directory = `${temporary.path}/proxy`;
  await using first = await echo("1");
  await using second = await echo("2");
  await using third = await echo("3");
  const proxies = [];
  for (const upstream of [first, first, third]) {
    await using proxy = await Proxy.start(upstream.address, { directory });
    if (proxies.push(proxy) === 1) {
      await proxy.drain();
      await proxy.retarget(second.address);
    }
    const seen = (await proxy.status()).upstream;
    assert.equal(seen, formatAddress(upstream === third ? third.address : second.address));
    await proxy.crash();
  }
  await using proxy = await Proxy.start(third.address, { directory });
  await proxy.resume();
  using client = await proxy.connect();
  assert.equal(await client.read(1), "3");
});

testWith(
  onlyForLong,
  "after a retarget the next process says which upstream counts, and why",
  async () => {
    await using temporary = await TemporaryDirectory.make();
    const directory = `${temporary.path}/proxy`;
    await using first = await echo();
    await using second = await echo();
    const [one, two] = [formatAddress(first.address), formatAddress(second.address)];
    const start = () => Proxy.start(first.address, { directory });
    {
      await using proxy = await start();
      await proxy.retarget(second.address);
      await proxy.crash();
    }
    {
      await using proxy = await start();
      assert.deepEqual(
        [(await proxy.logged("retarget_over"))["message"], (await proxy.status()).upstream],
        [
          `New connections go to ${one}, as the command line says; the retarget to ${two} was for the ` +
          `process before: proxyctl retarget ${two} to have it again`,
          one,
        ],
      );
      await proxy.drain();
      await proxy.retarget(second.address);
      await proxy.crash();
    }
    {
      await using proxy = await start();
      assert.deepEqual(
        [(await proxy.logged("retarget"))["message"], (await proxy.status()).upstream],
        [
          `New connections go to ${two}, by a retarget that goes on, not to ${one} as the command line ` +
          `says: proxyctl retarget ${one} to end that`,
          two,
        ],
      );
      assert.deepEqual(proxy.log("retarget_over"), []);
      await proxy.retarget(first.address);
      await proxy.resume();
      await proxy.crash();
    }
    await using proxy = await start();
    assert.deepEqual([...proxy.log("retarget_over"), ...proxy.log("retarget")], []);
  },
);

testWith(
  onlyForLong,
  "a drain record that cannot be understood is moved aside, and the proxy is open",
  async () => {
    await using temporary = await TemporaryDirectory.make();
    const directory = `${temporary.path}/proxy`;
    await Deno.mkdir(directory);
    await Deno.writeTextFile(`${directory}/drain.json`, '{"state":');
    await using service = await echo();
    await using proxy = await Proxy.start(service.address, { directory });
    assert.equal((await proxy.status()).state, "open");
    assert.equal((await proxy.logged("corrupt"))["level"], "ERROR");
    assert.equal(await Deno.readTextFile(`${directory}/drain.json.corrupt`), '{"state":');
  },
);

Deno.test("a drain that cannot be recorded is refused, and the proxy is still open", async () => {
  await using service = await echo();
  await using proxy = await Proxy.start(service.address);
  // Not even root can write a file over a directory.
  await Deno.mkdir(`${proxy.directory}/drain.json/x`, { recursive: true });
  const { code, stderr } = await proxy.ctl(["drain"]);
  assert.equal(code, 1);
  assert.match(stderr, /^proxyctl: .*record.*\n$/);
  using client = await proxy.served();
  assert.equal(client.received, 2);
});

Deno.test("started drained, clients are held from the first moment, and anybody may resume", async () => {
  await using service = await echo();
  await using proxy = await Proxy.start(service.address, { args: ["--start-drained"] });
  const { state, owner } = await proxy.status();
  assert.deepEqual([state, owner], ["drained", null]);
  using held = await proxy.connect();
  await held.send("hi");
  await proxy.until((now) => now.queued === 1);
  await proxy.resume({ owner: "anybody" });
  assert.equal(await held.read(2), "hi");
});

testWith(
  onlyForLong,
  "after a kill a new proxy takes the directory at once, over the stale control socket",
  async () => {
    await using temporary = await TemporaryDirectory.make();
    const directory = `${temporary.path}/proxy`;
    await using service = await echo();
    await using first = await Proxy.start(service.address, { directory });
    await first.crash();
    const { code, stderr } = await complete("proxyctl", ["status", "--runtime-dir", directory]);
    assert.deepEqual([code, stderr], [3, `proxyctl: No proxy runs at ${directory}\n`]);
    await using second = await Proxy.start(service.address, { directory });
    assert.equal((await second.status()).pid, second.process.pid);
  },
);
