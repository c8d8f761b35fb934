/** A drain that moves to another process. What holds in any order of things is in model_test.ts. */

import assert from "node:assert/strict";
import { COME_BACK_WITHIN } from "../../lib/drain/drain.ts";
import { type DrainSnapshot, parseSnapshot } from "../../lib/drain/snapshot.ts";
import type { Waiter } from "../../lib/drain/waiter.ts";
import { FakeProxy, type FakeProxyOptions, moved, openProxy, request } from "./fake_proxy.ts";
import { FakeClock, isKept } from "./fakes.ts";

Deno.test("an open proxy moves open, and serves those who came meanwhile", async () => {
  const { proxy, disk } = await openProxy(1);
  const snapshot = await proxy.drain.freeze();
  assert.deepEqual([snapshot.drain, snapshot.waiters], [null, []]);
  proxy.drain.moved();
  const next = new FakeProxy(new FakeClock(), disk);
  next.relay.arrive();
  await next.takeOver(proxy, snapshot);
  assert.equal(next.drain.status.state, "open");
  assert.equal(next.relay.holding, false);
});

Deno.test("a drain that moves keeps its deadline, and who comes back hears how long it took", async () => {
  const { proxy, disk } = await openProxy(1);
  const waiter = await proxy.drain.drain(request({ reason: "upgrade", timeout: 60_000 }));
  await proxy.clock.pass(10_000);
  const before = proxy.drain.status;
  const next = await moved(proxy, disk);
  const { outcome, blockers } = await waiter.settled;
  assert.deepEqual([outcome, blockers], ["moved", []]);
  assert.deepEqual(next.drain.status, before);
  assert.deepEqual(next.reported("taken_over"), [
    { type: "taken_over", state: "draining", owner: "ann" },
  ]);
  const back = await next.drain.comeBack(waiter.token);
  await next.clock.pass(20_000);
  assert.equal(back.waited, 30_000);
  assert.equal(await isKept(back.settled), false);
  next.relay.finishAll();
  assert.deepEqual(await back.settled, {
    outcome: "drained",
    message: "Drained after 30s",
    waited: 30_000,
    cut: 0,
    active: 0,
    blockers: [],
  });
});

Deno.test("a drain whose deadline passes after the move fails there", async () => {
  const { proxy, disk } = await openProxy(1);
  const waiter = await proxy.drain.drain(request({ timeout: 5000 }));
  await proxy.clock.pass(3000);
  const next = await moved(proxy, disk);
  await next.clock.pass(1999);
  assert.equal(next.drain.status.state, "draining");
  await next.clock.pass(1);
  assert.equal(next.drain.status.state, "open");
  assert.equal(disk.record, null);
  // Still in time to hear of it.
  const { outcome, waited } = await (await next.drain.comeBack(waiter.token)).settled;
  assert.deepEqual([outcome, waited], ["deadline", 5000]);
});

Deno.test("a drained proxy moves with what its lease has left", async () => {
  const { proxy, disk } = await openProxy(0);
  await proxy.drain.drain(request({ lease: 10_000 }));
  await proxy.clock.pass(4000);
  const next = await moved(proxy, disk);
  assert.equal(next.relay.holding, true);
  await next.clock.pass(5999);
  assert.equal(next.drain.status.state, "drained");
  await next.clock.pass(1);
  assert.equal(next.drain.status.state, "open");
});

Deno.test("a drain whose last connection ended during the move is drained", async () => {
  const { proxy, disk } = await openProxy(1);
  const waiter = await proxy.drain.drain(request());
  const snapshot = await proxy.drain.freeze();
  proxy.relay.finishAll();
  proxy.drain.moved();
  const next = new FakeProxy(new FakeClock(), disk);
  await next.takeOver(proxy, snapshot);
  assert.equal(next.drain.status.state, "drained");
  assert.equal(disk.record?.state, "drained");
  const back = await next.drain.comeBack(waiter.token);
  assert.equal((await back.settled).outcome, "drained");
});

Deno.test("a drain that nobody comes back for is cancelled, and comes too late who comes then", async () => {
  const { proxy, disk } = await openProxy(1);
  const waiter = await proxy.drain.drain(request());
  const next = await moved(proxy, disk);
  await next.clock.pass(COME_BACK_WITHIN - 1);
  assert.equal(next.drain.status.state, "draining");
  await next.clock.pass(1);
  assert.equal(next.drain.status.state, "open");
  assert.equal(next.reported("resumed")[0]?.cause, "cancelled");
  await assert.rejects(next.drain.comeBack(waiter.token), { code: "no_such_waiter" });
});

Deno.test("a drain goes on with those who came back, and with those who are new", async () => {
  for (const isNew of [false, true]) {
    const { proxy, disk } = await openProxy(1);
    const one = await proxy.drain.drain(request());
    await proxy.drain.drain(request());
    const next = await moved(proxy, disk);
    if (isNew) await next.drain.drain(request({ timeout: null }));
    else await next.drain.comeBack(one.token);
    await next.clock.pass(COME_BACK_WITHIN);
    assert.equal(next.drain.status.state, "draining");
  }
});

Deno.test("--no-wait needs nobody to come back", async () => {
  const { proxy, disk } = await openProxy(1);
  const waiter = await proxy.drain.drain(request({ wait: false }));
  const next = await moved(proxy, disk);
  await assert.rejects(next.drain.comeBack(waiter.token), { code: "no_such_waiter" });
  const guest = await next.drain.drain(request());
  guest.leave();
  await next.clock.pass(COME_BACK_WITHIN);
  assert.equal(next.drain.status.state, "draining");
});

Deno.test("an attached waiter that does not come back ends the drain, even once it is drained", async () => {
  const { proxy, disk } = await openProxy(0);
  const attached = request({ exclusive: true, attached: true });
  const first = await proxy.drain.drain(attached);
  const second = await moved(proxy, disk);
  const back = await second.drain.comeBack(first.token);
  assert.equal((await back.settled).outcome, "drained");
  await second.clock.pass(COME_BACK_WITHIN);
  assert.equal(second.drain.status.state, "drained");
  const third = await moved(second, disk);
  await third.clock.pass(COME_BACK_WITHIN);
  assert.equal(third.drain.status.state, "open");
  assert.equal(third.reported("resumed")[0]?.cause, "cancelled");
});

Deno.test("who does not come back has no part in a later drain", async () => {
  const { proxy, disk } = await openProxy(0);
  await proxy.drain.drain(request({ exclusive: true, attached: true }));
  const second = await moved(proxy, disk);
  await second.drain.resume("ann", false);
  await second.drain.drain(request({ owner: "bob" }));
  const third = await moved(second, disk);
  await third.clock.pass(COME_BACK_WITHIN);
  assert.equal(third.drain.status.owner, "bob");
});

Deno.test("who is away during two moves hears what happened in between", async () => {
  const { proxy, disk } = await openProxy(1);
  const waiter = await proxy.drain.drain(request({ timeout: 5000 }));
  const second = await moved(proxy, disk);
  await second.clock.pass(6000);
  assert.equal(second.drain.status.state, "open");
  const third = await moved(second, disk);
  const back = await third.drain.comeBack(waiter.token);
  const { outcome, waited, active, blockers } = await back.ended;
  assert.deepEqual([outcome, waited, active, blockers.length], ["deadline", 5000, 1, 1]);
  assert.equal(back.waited, 6000);
});

Deno.test("what a version told that named all connections is understood", async () => {
  const { proxy, disk } = await openProxy(3);
  await proxy.drain.drain(request({ timeout: 5000 }));
  const second = await moved(proxy, disk);
  await second.clock.pass(6000);
  const old = JSON.parse(JSON.stringify(await second.drain.freeze()));
  delete old.waiters[0].ended.active;
  assert.equal(parseSnapshot(old).waiters[0]?.ended?.active, 3);
});

Deno.test("a token is good once, and only that of a waiter", async () => {
  const { proxy, disk } = await openProxy(1);
  const { token } = await proxy.drain.drain(request());
  await assert.rejects(proxy.drain.comeBack(token), { code: "no_such_waiter" });
  const next = await moved(proxy, disk);
  await assert.rejects(next.drain.comeBack(crypto.randomUUID()), { code: "no_such_waiter" });
  await next.drain.comeBack(token);
  await assert.rejects(next.drain.comeBack(token), { code: "no_such_waiter" });
});

Deno.test("who has heard the outcome is not expected", async () => {
  const { proxy } = await openProxy(0);
  await proxy.drain.drain(request());
  assert.deepEqual((await proxy.drain.freeze()).waiters, []);
});

Deno.test("a drain that moves goes on cutting, and counts what was cut before", async () => {
  const { proxy, disk } = await openProxy(2);
  const waiter = await proxy.drain.drain(request({ closeIdle: 3000, closeRemaining: true }));
  proxy.relay.finish(1);
  proxy.relay.arrive();
  await proxy.clock.pass(2000);
  const second = await moved(proxy, disk);
  // It looks for idle ones ten times in that time.
  await second.clock.pass(1300);
  assert.deepEqual(second.relay.cut, [2]);
  const back = await second.drain.comeBack(waiter.token);
  const { outcome, cut } = await back.settled;
  assert.deepEqual([outcome, cut], ["drained", 1]);
});

Deno.test("a connection that was cut and not gone yet is cut in the next process, and counted once", async () => {
  // What the relay is told to close is never gone by itself.
  const perform: FakeProxyOptions["perform"] = (name, effect) =>
    name === "closed" ? new Promise(() => {}) : Promise.resolve(effect());
  const { proxy, disk } = await openProxy(1, { perform, closeLater: true });
  const waiter = await proxy.drain.drain(request({ timeout: 1000, closeRemaining: true }));
  await proxy.clock.pass(1000);
  assert.deepEqual([proxy.relay.cut, proxy.relay.active], [[1], 1]);
  const next = await moved(proxy, disk);
  assert.equal(next.relay.active, 0);
  const { outcome, cut } = await (await next.drain.comeBack(waiter.token)).settled;
  assert.deepEqual([outcome, cut], ["drained", 1]);
});

Deno.test("what a refused drain absorbs is absorbed after the move, for the time that is left", async () => {
  const { proxy, disk } = await openProxy(0);
  await proxy.drain.drain(request({ exclusive: true }));
  await assert.rejects(proxy.drain.drain(request({ exclusive: true })));
  const next = await moved(proxy, disk);
  assert.equal((await next.drain.resume("ann", false)).absorbed, true);
  assert.equal((await next.drain.resume("ann", false)).changed, true);
});

Deno.test("a retarget moves along, unless the command line names another upstream", async () => {
  const { proxy, disk } = await openProxy(0);
  await proxy.drain.retarget({ host: "new.example", port: 81 });
  const second = await moved(proxy, disk);
  assert.equal(second.relay.upstream.host, "new.example");
  const third = await moved(second, disk, { commandUpstream: "other.example:80" });
  assert.equal(third.relay.upstream.host, "other.example");
});

Deno.test("the record of a drain that moved is that of the new command line", async () => {
  const { proxy, disk } = await openProxy(0);
  await proxy.drain.retarget({ host: "new.example", port: 81 });
  await proxy.drain.drain(request());
  assert.equal(disk.record?.upstream, "new.example:81");
  await moved(proxy, disk, { commandUpstream: "other.example:80" });
  const { state, commandUpstream, upstream } = disk.record ?? {};
  assert.deepEqual([state, commandUpstream, upstream], ["drained", "other.example:80", null]);
});

Deno.test("a record that could not be removed is removed by who takes over, before it opens", async () => {
  const { proxy, disk } = await openProxy(0);
  await proxy.drain.drain(request());
  disk.failRemove = "before";
  await proxy.drain.resume("ann", false);
  assert.notEqual(disk.record, null);
  await moved(proxy, disk);
  assert.equal(disk.record, null);
});

Deno.test("frozen, commands and what is due wait; thawed, it goes on as if nothing had happened", async () => {
  const { proxy, disk } = await openProxy(0);
  const { drain, clock } = proxy;
  await drain.drain(request({ lease: 10_000 }));
  await drain.freeze();
  const writes = disk.writes;
  let over = false;
  void drain.frozen?.then(() => over = true);
  const refused = drain.drain(request({ owner: "bob" }));
  const resumed = assert.rejects(drain.resume("ann", false), { code: "held_by_another" });
  await clock.pass(10_000);
  assert.equal(await isKept(resumed), false);
  assert.deepEqual([drain.status.state, disk.writes, over], ["drained", writes, false]);
  drain.thaw();
  // The lease ran out meanwhile, so that nobody holds the proxy any more.
  assert.equal((await (await refused).settled).outcome, "drained");
  await resumed;
  assert.deepEqual([drain.frozen, over], [null, true]);
});

Deno.test("thawed, a timer that ran out fires", async () => {
  const { proxy } = await openProxy(1);
  const waiter = await proxy.drain.drain(request({ timeout: 1000 }));
  await proxy.drain.freeze();
  await proxy.clock.pass(5000);
  assert.equal(await isKept(waiter.settled), false);
  proxy.drain.thaw();
  await proxy.clock.pass(1);
  assert.equal((await waiter.settled).outcome, "deadline");
});

Deno.test("once it has moved, every command is refused, and nothing is told or done", async () => {
  const { proxy } = await openProxy(1);
  const { drain, relay } = proxy;
  const waiter = await drain.drain(request({ timeout: 1000 }));
  await drain.freeze();
  const waiting = [
    drain.drain(request()),
    drain.resume("ann", true),
    drain.retarget({ host: "new.example", port: 81 }),
    drain.comeBack(crypto.randomUUID()),
    drain.freeze(),
    drain.frozen ?? Promise.resolve(),
  ].map((one: Promise<unknown>) => assert.rejects(one, { code: "moved" }));
  const stopped = drain.stop();
  waiter.leave();
  drain.moved();
  await Promise.all(waiting);
  await assert.rejects(drain.resume("ann", true), { code: "moved" });
  assert.throws(() => drain.wouldOpen("ann", false), { code: "moved" });
  await stopped;
  relay.finishAll();
  await proxy.clock.pass(60_000);
  assert.deepEqual([relay.holding, proxy.reported("over")], [true, []]);
  assert.equal((await waiter.ended).outcome, "moved");
});

Deno.test("a proxy that stops cannot be frozen, and one that is frozen stops once it is thawed", async () => {
  const { proxy } = await openProxy(1);
  const waiter = await proxy.drain.drain(request());
  await proxy.drain.freeze();
  const stopped = proxy.drain.stop();
  assert.equal(await isKept(stopped), false);
  proxy.drain.thaw();
  await stopped;
  assert.equal((await waiter.settled).outcome, "stopped");
  await assert.rejects(proxy.drain.freeze(), { code: "stopping" });
  assert.throws(() => proxy.drain.moved(), /must be frozen/);
});

Deno.test("a drain is frozen between two commands, never within one", async () => {
  let finish = () => {};
  const perform: FakeProxyOptions["perform"] = (name, effect) =>
    name === "write"
      ? new Promise((resolve) => finish = () => resolve(effect()))
      : Promise.resolve(effect());
  const { proxy } = await openProxy(1, { perform });
  const waiter: Promise<Waiter> = proxy.drain.drain(request());
  const frozen = proxy.drain.freeze();
  assert.equal(await isKept(frozen), false);
  finish();
  const { token } = await waiter;
  const { drain, waiters } = await frozen;
  assert.deepEqual([drain?.state, waiters[0]?.token], ["draining", token]);
});

Deno.test("a snapshot that is not understood is refused, and it is said why", async () => {
  const { proxy } = await openProxy(1);
  await proxy.drain.drain(request());
  const good = await proxy.drain.freeze();
  assert.deepEqual(parseSnapshot(good), good);
  const refused: [change: (bad: DrainSnapshot) => unknown, says: RegExp][] = [
    [() => null, /^The drain: the whole: /],
    [(bad) => ({ ...bad, version: 2 }), /^The drain: version: /],
    [(bad) => ({ ...bad, more: 1 }), /^The drain: more: /],
    [(bad) => ({ ...bad, upstream: "x" }), /^The drain: upstream: is no HOST:PORT/],
    [(bad) => ({ ...bad, drain: null }), /somebody waits for a drain, but there is none/],
    [(bad) => ({ ...bad, drain: { ...bad.drain, state: "open" } }), /^The drain: drain\.state: /],
    [(bad) => ({ ...bad, drain: { ...bad.drain, more: 1 } }), /^The drain: drain\.more: /],
    [
      (bad) => ({ ...bad, waiters: [{ ...bad.waiters[0], token: "x" }] }),
      /^The drain: waiters\.0\.token: /,
    ],
  ];
  for (const [change, says] of refused) {
    assert.throws(() => parseSnapshot(change(good)), { message: says });
  }
});
