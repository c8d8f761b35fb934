import assert from "node:assert/strict";
import { MOST_REMEMBERED } from "../../lib/drain/history.ts";
import { parseSnapshot, snapshotForVersionBefore } from "../../lib/drain/snapshot.ts";
import { FakeClock, FakeDisk } from "./fakes.ts";
import { FakeProxy, request } from "./fake_proxy.ts";

async function openProxy(active: number, clock = new FakeClock(), disk = new FakeDisk()) {
  const proxy = new FakeProxy(clock, disk);
  await proxy.start();
  for (let count = 0; count < active; count++) proxy.relay.arrive();
  return proxy;
}

Deno.test("a drain that failed by its deadline is remembered with those who were in its way", async () => {
  const { drain, relay, clock } = await openProxy(2);
  assert.deepEqual(drain.history.all, []);
  await clock.pass(3000);
  const since = new Date(clock.wall()).toISOString();
  await drain.drain(request({ timeout: 5000, reason: "an upgrade" }));
  await clock.pass(1000);
  relay.arrive();
  await clock.pass(4000);
  const inTheWay = { upstream: "192.0.2.9:1", ageSeconds: 8, idleSeconds: 8 };
  const [first, second, ...more] = drain.history.last?.blockers ?? [];
  assert.deepEqual({ ...first, upstream: inTheWay.upstream }, {
    id: 1,
    peer: "192.0.2.1:1",
    ...inTheWay,
  });
  assert.deepEqual([second?.id, more], [2, []]);
  assert.deepEqual({ ...drain.history.last, blockers: [] }, {
    outcome: "deadline",
    owner: "ann",
    reason: "an upgrade",
    since,
    tookSeconds: 5,
    active: 2,
    blockers: [],
    cut: 0,
    cutConnections: [],
    endedBy: "deadline",
    endedAt: new Date(clock.wall()).toISOString(),
    held: 1,
    longestHoldSeconds: 4,
  });
});

Deno.test("a drain that went well is remembered when it is drained, and whom it held when it is over", async () => {
  const { drain, relay, clock } = await openProxy(2);
  await clock.pass(3000);
  relay.touch(2);
  await drain.drain(request({ closeIdle: 2000, lease: 60_000 }));
  await clock.pass(1000);
  relay.finish(2);
  await clock.pass(0);
  const { outcome, cut, cutConnections, endedBy, held } = drain.history.last ?? {};
  assert.deepEqual([outcome, cut, endedBy, held], ["drained", 1, null, null]);
  assert.deepEqual(cutConnections?.map(({ peer, idleSeconds }) => [peer, idleSeconds]), [
    ["192.0.2.1:1", 3],
  ]);
  relay.arrive();
  await clock.pass(60_000);
  assert.equal(drain.history.all.length, 1);
  const { last } = drain.history;
  assert.deepEqual([last?.outcome, last?.endedBy, last?.held, last?.longestHoldSeconds], [
    "drained",
    "lease",
    1,
    60,
  ]);
});

Deno.test(`${MOST_REMEMBERED} drains are remembered, and no more`, async () => {
  const { drain, clock } = await openProxy(0);
  for (let count = 0; count < MOST_REMEMBERED + 5; count++) {
    await drain.drain(request({ reason: `${count}` }));
    await clock.pass(10);
    await drain.resume("ann", false);
  }
  const reasons = drain.history.all.map(({ reason }) => reason);
  assert.deepEqual([reasons.length, reasons[0], reasons.at(-1)], [MOST_REMEMBERED, "5", "104"]);
});

Deno.test("a drain that is refused is none, and changes nothing in what is remembered", async () => {
  const { drain } = await openProxy(1);
  await drain.drain(request());
  await assert.rejects(drain.drain(request({ owner: "bob" })));
  assert.deepEqual(drain.history.all, []);
});

Deno.test("what is remembered moves with the drain, and the next process says how it ended", async () => {
  const clock = new FakeClock();
  const disk = new FakeDisk();
  const old = await openProxy(2, clock, disk);
  await clock.pass(3000);
  old.relay.touch(2);
  await old.drain.drain(request({ reason: "before" }));
  await old.drain.resume("ann", false);
  await clock.pass(10);
  await old.drain.drain(request({ closeIdle: 2000 }));
  const next = new FakeProxy(clock, disk);
  const snapshot = await old.drain.freeze();
  await next.takeOver(old, snapshot);
  old.drain.moved();
  assert.equal(old.drain.history.last?.reason, "before");
  next.relay.finishAll();
  await clock.pass(0);
  await next.drain.resume("ann", false);
  const [before, last] = next.drain.history.all;
  assert.deepEqual([before?.reason, before?.outcome], ["before", "ended"]);
  assert.deepEqual([last?.outcome, last?.endedBy, last?.cut], ["drained", "resumed", 1]);
  assert.deepEqual(last?.cutConnections.map(({ id }) => id), [1]);
});

Deno.test("the version before is not told what it does not know, nor needed to know it", async () => {
  const clock = new FakeClock();
  const old = await openProxy(0, clock);
  await old.drain.drain(request());
  const snapshot = await old.drain.freeze();
  const before = snapshotForVersionBefore(snapshot) as { drain: object };
  assert.ok(!("history" in before) && !("cutNames" in before.drain));
  const next = new FakeProxy(clock, new FakeDisk());
  await next.takeOver(old, parseSnapshot(before));
  assert.deepEqual([next.drain.status.state, next.drain.history.all], ["drained", []]);
});

Deno.test("a drain whose proxy was killed is remembered as stopped", async () => {
  const clock = new FakeClock();
  const disk = new FakeDisk();
  const { drain } = await openProxy(1, clock, disk);
  await drain.drain(request({ reason: "an upgrade" }));
  await clock.pass(7000);
  const next = await openProxy(0, clock, disk);
  const { last } = next.drain.history;
  assert.deepEqual([last?.outcome, last?.reason, last?.tookSeconds, last?.endedBy, last?.held], [
    "stopped",
    "an upgrade",
    7,
    "stopped",
    null,
  ]);
});
