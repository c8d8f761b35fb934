import assert from "node:assert/strict";
import { whyNoEpoll } from "../../lib/linux/available.ts";
import { Peer } from "../relay/peer.ts";
import { pause } from "../relay/waiting.ts";
import { onlyForLong } from "../support/long.ts";
import { testWith } from "../support/tools.ts";
import { ended, isKeeper, type Parked, Stage } from "./stage.ts";

const no = whyNoEpoll();

/** A proxy that was stopped while it was parked, with a client, and a keeper whose time is soon over. */
async function stoppedWhileParked(): Promise<{ stage: Stage; parked: Parked; client: Peer }> {
  // On a machine that is too busy for that the time is over first.
  for (let time = 1000;; time *= 2) {
    const stage = await Stage.set();
    await stage.drain();
    const parked = await stage.park("--for", `${time}ms`);
    const client = await stage.client();
    await stage.stop();
    const isInTime = stage.proxy.log("stopped")[0]?.["keeper"] === parked.keeper;
    if (isInTime && isKeeper(parked.keeper, stage.directory)) return { stage, parked, client };
    client[Symbol.dispose]();
    await stage[Symbol.asyncDispose]();
  }
}

/** Waits until the lease of a parked proxy would be over. */
async function leaseIsOver(stage: Stage): Promise<void> {
  const { leaseExpires } = await stage.proxy.status();
  await pause(Date.parse(leaseExpires ?? "") - Date.now());
}

/** The next proxy is drained when it starts, for a whole lease. */
async function isRenewed(stage: Stage, lease: number, ...args: string[]): Promise<void> {
  const started = Date.now();
  const next = await stage.next({ args });
  assert.equal((await next.logged("listen"))["state"], "drained");
  const { cause, "@timestamp": resumed } = await next.logged("resume");
  assert.equal(cause, "lease");
  assert.ok(Date.parse(`${resumed}`) >= started + lease, `${resumed}`);
}

testWith(
  onlyForLong ?? no,
  "when the time is over and the proxy still lives, that is drained again",
  async () => {
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
  },
);

testWith(
  no,
  "when the time is over with no proxy there, those who wait are reset, and the log counts them",
  async () => {
    const { stage: stopped, parked, client } = await stoppedWhileParked();
    await using stage = stopped;
    using _client = client;
    assert.equal(await client.ending, "reset");
    await ended(parked, stage);
    assert.match(await stage.log(), /Queued clients that are reset: 1\n.*time over/);
    await assert.rejects(Peer.connect(stage.proxy.address), /ECONNREFUSED/);
    assert.equal((await stage.proxy.ctl(["status"])).code, 3);
    const left = Array.from(Deno.readDirSync(stage.directory), ({ name }) => name).sort();
    assert.deepEqual(left, ["drain.json", "history.jsonl", "keeper.log", "lock"]);
    // What was recorded counts for the next one.
    assert.equal((await (await stage.next()).status()).state, "drained");
  },
);

testWith(
  onlyForLong ?? no,
  "a lease that ends meanwhile changes nothing, and is renewed once by the next proxy",
  async () => {
    await using stage = await Stage.set();
    const lease = await stage.parkWithLease(1500);
    using client = await stage.client();
    await leaseIsOver(stage);
    assert.equal((await stage.proxy.status()).state, "parked");
    await stage.stop();
    await isRenewed(stage, lease);
    // Nobody resumes it.
    assert.equal(await client.read(2), "hi");
  },
);

testWith(
  onlyForLong ?? no,
  "a lease that ended while parked ends the drain once the proxy is no longer parked",
  async () => {
    await using stage = await Stage.set();
    // It is parked after it was drained, so this ends after the lease.
    await stage.parkWithLease(1500, (lease) => lease);
    using client = await stage.client();
    assert.equal(await client.read(2), "hi");
    const [parked] = stage.proxy.log("unparked");
    assert.ok(parked !== undefined, "it was not opened before");
  },
);

testWith(onlyForLong ?? no, "a retarget of a parked proxy is that of its successor", async () => {
  await using stage = await Stage.set();
  await stage.drain();
  await stage.park();
  await stage.proxy.retarget({ host: "127.0.0.1", port: 9 });
  await stage.stop();
  assert.equal((await stage.proxy.status()).upstream, "127.0.0.1:9");
  assert.equal((await (await stage.next()).status()).upstream, "127.0.0.1:9");
});

testWith(
  onlyForLong ?? no,
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
  onlyForLong ?? no,
  "a lease that has ended while parked does not open the proxy that takes over from it alive",
  async () => {
    await using stage = await Stage.set();
    const lease = await stage.parkWithLease(1500);
    const before = stage.proxy.log("resume").length;
    using client = await stage.client();
    await leaseIsOver(stage);
    await isRenewed(stage, lease, "--takeover=always");
    assert.equal(await client.read(2), "hi");
    assert.equal(stage.proxy.log("resume").length, before);
  },
);
