import assert from "node:assert/strict";
import { echo } from "../relay/peer.ts";
import { lendProxy } from "../support/lent_proxy.ts";
import { Proxy } from "../support/proxy.ts";
import { onlyForLong } from "../support/long.ts";
import { testWith } from "../support/tools.ts";

/** What the wrapper calls for Disnix. */
const LOCK = ["drain", "--owner", "disnix", "--exclusive", "--timeout", "5m", "--lease", "15m"];
const UNLOCK = ["resume", "--owner", "disnix"];

testWith(
  onlyForLong,
  "a second deployer's lock is refused, and its unlock releases nothing",
  async () => {
    await using service = await echo();
    await using proxy = await Proxy.start(service.address);
    assert.equal((await proxy.ctl(LOCK)).code, 0);
    const refused = await proxy.ctl(LOCK);
    assert.equal(refused.code, 5);
    assert.match(refused.stderr, /^proxyctl: The proxy is drained by "disnix" .*exclusive\)\n$/);

    // Disnix unlocks also what it failed to lock.
    const absorbed = await proxy.ctl([...UNLOCK, "--json"]);
    assert.equal(absorbed.code, 0);
    const result = JSON.parse(absorbed.stdout);
    assert.deepEqual([result.changed, result.absorbed], [false, true]);
    assert.equal((await proxy.status()).state, "drained");

    const released = await proxy.ctl([...UNLOCK, "--json"]);
    assert.equal(JSON.parse(released.stdout).changed, true);
    assert.equal((await proxy.status()).state, "open");
  },
);

Deno.test("the unlock of a proxy that was never locked succeeds", async () => {
  await using lent = await lendProxy();
  const { proxy } = lent;
  const { code, stdout } = await proxy.ctl(UNLOCK);
  assert.deepEqual([code, stdout], [0, "Already open\n"]);
});

Deno.test("a refusal is remembered over a crash of the proxy", async () => {
  await using service = await echo();
  const directory = await Deno.makeTempDir();
  try {
    await using first = await Proxy.start(service.address, { directory });
    assert.equal((await first.ctl(LOCK)).code, 0);
    assert.equal((await first.ctl(LOCK)).code, 5);
    await first.crash();
    await using second = await Proxy.start(service.address, { directory });
    assert.equal((await second.ctl(UNLOCK)).code, 0);
    assert.equal((await second.status()).state, "drained");
    assert.equal((await second.ctl(UNLOCK)).code, 0);
    assert.equal((await second.status()).state, "open");
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});

testWith(onlyForLong, "a lock that fails by its deadline leaves nothing to absorb", async () => {
  await using lent = await lendProxy();
  const { proxy } = lent;
  {
    using _active = await proxy.served();
    assert.equal((await proxy.ctl([...LOCK, "--timeout", "100ms"])).code, 4);
    assert.equal((await proxy.ctl(UNLOCK)).code, 0);
  }
  assert.equal((await proxy.ctl(LOCK)).code, 0);
  assert.equal((await proxy.ctl(UNLOCK)).code, 0);
  assert.equal((await proxy.status()).state, "open");
});
