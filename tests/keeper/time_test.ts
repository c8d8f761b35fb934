import assert from "node:assert/strict";
import { whyNoEpoll } from "../../lib/relay/epoll/available.ts";
import { Peer } from "../relay/peer.ts";
import { pause } from "../relay/waiting.ts";
import { testWith } from "../support/tools.ts";
import { ended, Stage } from "./stage.ts";

const no = whyNoEpoll();

testWith(no, "when the time is over and the proxy still lives, that is drained again", async () => {
  await using stage = await Stage.set();
  await stage.drain();
  using client = await stage.client();
  const parked = await stage.park("--for", "300ms");
  await ended(parked, stage);
  const { state, queued, keeper, parkedUntil } = await stage.proxy.until(({ state }) =>
    state === "drained"
  );
  assert.deepEqual([state, queued, keeper, parkedUntil], ["drained", 1, null, null]);
  assert.match(await stage.log(), /time over/);
  await stage.resume(stage.proxy);
  assert.equal(await client.read(2), "hi");
});

testWith(
  no,
  "when the time is over with no proxy there, those who wait are reset, and the log counts them",
  async () => {
    await using stage = await Stage.set();
    await stage.drain();
    const parked = await stage.park("--for", "1s");
    using client = await stage.client();
    await stage.stop();
    assert.equal(await client.ending, "reset");
    await ended(parked, stage);
    assert.match(await stage.log(), /Queued clients that are reset: 1\n.*time over/);
    await assert.rejects(Peer.connect(stage.proxy.address), /ECONNREFUSED/);
    assert.equal((await stage.proxy.ctl(["status"])).code, 3);
    const left = Array.from(Deno.readDirSync(stage.directory), ({ name }) => name).sort();
    assert.deepEqual(left, ["drain.json", "keeper.log", "lock"]);
    // What was recorded counts for the next one.
    assert.equal((await (await stage.next()).status()).state, "drained");
  },
);

testWith(
  no,
  "a lease that ends meanwhile changes nothing, and is renewed once by the next proxy",
  async () => {
    await using stage = await Stage.set();
    await stage.drain("--lease", "5s");
    await stage.park();
    using client = await stage.client();
    const { leaseExpires } = await stage.proxy.status();
    await pause(Date.parse(leaseExpires ?? "") - Date.now());
    assert.equal((await stage.proxy.status()).state, "parked");
    await stage.stop();
    const started = Date.now();
    const next = await stage.next();
    const renewed = await next.status();
    assert.equal(renewed.state, "drained");
    assert.ok(Date.parse(renewed.leaseExpires ?? "") >= started + 5000);
    // Nobody resumes it.
    assert.equal(await client.read(2), "hi");
    assert.equal((await next.logged("resume"))["cause"], "lease");
  },
);

testWith(
  no,
  "a lease that ended while parked ends the drain once the proxy is no longer parked",
  async () => {
    await using stage = await Stage.set();
    await stage.drain("--lease", "5s");
    await stage.park("--for", "6s");
    using client = await stage.client();
    assert.equal(await client.read(2), "hi");
    const [parked] = stage.proxy.log("unparked");
    assert.ok(parked !== undefined, "it was not opened before");
  },
);

testWith(no, "a retarget of a parked proxy is that of its successor", async () => {
  await using stage = await Stage.set();
  await stage.drain();
  await stage.park();
  assert.equal((await stage.proxy.ctl(["retarget", "127.0.0.1:9"])).code, 0);
  await stage.stop();
  assert.equal((await stage.proxy.status()).upstream, "127.0.0.1:9");
  assert.equal((await (await stage.next()).status()).upstream, "127.0.0.1:9");
});

testWith(
  no,
  "a parked proxy whose record was spoilt is still drained, and anybody may resume it",
  async () => {
    await using stage = await Stage.set();
    await stage.drain();
    await stage.park();
    await stage.stop();
    await Deno.writeTextFile(`${stage.directory}/drain.json`, "{");
    const next = await stage.next();
    const { state, owner } = await next.status();
    assert.deepEqual([state, owner], ["drained", null]);
    await stage.resume(next);
  },
);

testWith(no, "a proxy that is stopped while drained tells of proxyctl park", async () => {
  await using stage = await Stage.set();
  await stage.drain();
  using client = await stage.client();
  await stage.proxy.until(({ queued }) => queued === 1);
  await stage.stop();
  assert.equal(await client.ending, "reset");
  const [line] = stage.proxy.log("queue_reset");
  assert.match(`${line?.["message"]}`, /^1 queued client was reset.*proxyctl park/);
});

testWith(no, "how long is a duration with an end", async () => {
  await using stage = await Stage.set();
  for (const time of ["none", "soon"]) {
    const { code, stderr } = await stage.proxy.ctl(["park", "--for", time]);
    assert.equal(code, 2);
    assert.match(stderr, /^proxyctl: .*--for.*\n$/);
  }
});

testWith(
  no,
  "a lease that has ended while parked does not open the proxy that takes over from it alive",
  async () => {
    await using stage = await Stage.set();
    await stage.drain("--lease", "1s");
    await stage.park();
    using client = await stage.client();
    await pause(1200);
    const next = await stage.next();
    const { state, queued, leaseExpires } = await next.status();
    assert.deepEqual([state, queued], ["drained", 1]);
    assert.ok(Date.parse(`${leaseExpires}`) > Date.now());
    assert.deepEqual(stage.proxy.log("resume"), []);
    await stage.resume(next);
    assert.equal(await client.read(2), "hi");
  },
);
