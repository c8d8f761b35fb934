/** One test for each rule of the drain. What holds in any order of things is in model_test.ts. */

import assert from "node:assert/strict";
import { formatAddress, parseAddress } from "../../lib/address.ts";
import { ABSORB_WITHIN, START_DRAINED_LEASE } from "../../lib/drain/drain.ts";
import { DrainRefused } from "../../lib/drain/types.ts";
import {
  COMMAND_UPSTREAM,
  FakeProxy,
  type FakeProxyOptions,
  openProxy,
  request,
} from "./fake_proxy.ts";
import { FakeClock, FakeDisk, idle, isKept } from "./fakes.ts";
import { IoQueue } from "./io_queue.ts";

const MINUTE = 60_000;

/** Another process, after the first one has died. */
async function restarted(
  disk: FakeDisk,
  clock: FakeClock,
  { startDrained = false, ...options }: FakeProxyOptions & { startDrained?: boolean } = {},
) {
  const proxy = new FakeProxy(new FakeClock(1, clock.wall()), disk, options);
  await proxy.start(startDrained);
  return proxy;
}

Deno.test("a proxy without a record starts open, and serves those who came before", async () => {
  const clock = new FakeClock();
  const proxy = new FakeProxy(clock, new FakeDisk());
  proxy.relay.arrive();
  await proxy.start();
  assert.deepEqual(proxy.drain.status, {
    state: "open",
    owner: null,
    reason: null,
    since: null,
    deadline: null,
    leaseExpires: null,
  });
  assert.equal(proxy.relay.active, 1);
});

Deno.test("a drain of an idle proxy is drained at once", async () => {
  const { drain, disk } = await openProxy(0);
  const waiter = await drain.drain(request());
  assert.equal((await waiter.settled).outcome, "drained");
  assert.equal(drain.status.state, "drained");
  assert.equal(disk.record?.state, "drained");
});

Deno.test("a drain waits for the active connections, and holds those who come meanwhile", async () => {
  const { drain, relay, clock, proxy } = await openProxy(2);
  const waiter = await drain.drain(request({ reason: "upgrade" }));
  relay.arrive();
  assert.equal(relay.queued.length, 1);
  relay.finish(1);
  assert.equal(await isKept(waiter.settled), false);
  assert.equal(drain.status.state, "draining");
  await clock.pass(2500);
  relay.finish(2);
  const outcome = await waiter.settled;
  assert.deepEqual(outcome, {
    outcome: "drained",
    message: "Drained after 2.5s",
    waited: 2500,
    cut: 0,
    active: 0,
    blockers: [],
  });
  assert.equal(relay.active, 0);
  assert.equal(await isKept(waiter.ended), false);

  const resumed = await drain.resume("ann", false);
  assert.deepEqual(resumed, {
    changed: true,
    absorbed: false,
    held: 1,
    longest: 2500,
    message: "Resumed; 1 client was held, the longest for 2.5s",
  });
  assert.equal(relay.active, 1);
  assert.equal((await waiter.ended).outcome, "ended");
  assert.deepEqual(proxy.events.map((event) => event.type), [
    "draining",
    "drained",
    "over",
    "resumed",
  ]);
});

Deno.test("resume of an open proxy is a success that changes nothing", async () => {
  const { drain } = await openProxy(1);
  const resumed = await drain.resume("anybody", false);
  assert.deepEqual([resumed.changed, resumed.message], [false, "Already open"]);
});

Deno.test("the lease starts at drained, and the status says when everything ends", async () => {
  const { drain, relay, clock } = await openProxy(1);
  const began = clock.wall();
  await drain.drain(request({ timeout: MINUTE, lease: 10 * MINUTE }));
  assert.deepEqual(
    [drain.status.since, drain.status.deadline, drain.status.leaseExpires],
    [began, began + MINUTE, null],
  );
  await clock.pass(30_000);
  assert.equal(drain.status.deadline, began + MINUTE);
  relay.finishAll();
  await idle();
  assert.deepEqual(
    [drain.status.since, drain.status.deadline, drain.status.leaseExpires],
    [began, null, began + 30_000 + 10 * MINUTE],
  );
});

Deno.test("an expired lease resumes, loudly", async () => {
  const { drain, relay, clock, disk, proxy } = await openProxy(0);
  const waiter = await drain.drain(request({ lease: 10_000 }));
  await clock.pass(9999);
  assert.equal(drain.status.state, "drained");
  await clock.pass(1);
  assert.equal(drain.status.state, "open");
  assert.equal(relay.holding, false);
  assert.equal(disk.record, null);
  assert.equal((await waiter.ended).message, "The lease expired; traffic was resumed");
  const [resumed] = proxy.reported("resumed");
  assert.deepEqual([resumed?.cause, resumed?.from, resumed?.by], ["lease", "drained", null]);
});

Deno.test("a lease or a deadline of none never ends", async () => {
  const { drain, relay, clock } = await openProxy(1);
  await drain.drain(request({ timeout: null, lease: null }));
  await clock.pass(400 * 24 * 60 * MINUTE);
  assert.equal(drain.status.state, "draining");
  relay.finishAll();
  await clock.pass(400 * 24 * 60 * MINUTE);
  assert.equal(drain.status.state, "drained");
  assert.equal(clock.timers, 0);
});

Deno.test("a lease of 30 days is longer than a timer can be, and holds", async () => {
  const { drain, clock } = await openProxy(0);
  const days = 24 * 60 * MINUTE;
  await drain.drain(request({ lease: 30 * days }));
  await clock.pass(30 * days - 1);
  assert.equal(drain.status.state, "drained");
  await clock.pass(1);
  assert.equal(drain.status.state, "open");
});

Deno.test("a deadline that passes resumes and fails the drain; nothing is cut", async () => {
  const { drain, relay, clock, disk, proxy } = await openProxy(2);
  const waiter = await drain.drain(request({ timeout: 5000 }));
  relay.arrive();
  await clock.pass(4999);
  assert.equal(drain.status.state, "draining");
  await clock.pass(1);
  const outcome = await waiter.settled;
  assert.equal(outcome.outcome, "deadline");
  assert.equal(outcome.message, "The deadline passed; traffic was resumed, nothing was cut");
  assert.deepEqual(outcome.blockers.map(({ id }) => id), [1, 2]);
  assert.deepEqual([outcome.waited, outcome.cut, relay.cut.length], [5000, 0, 0]);
  assert.equal(drain.status.state, "open");
  assert.equal(relay.active, 3);
  assert.equal(disk.record, null);
  assert.equal(proxy.reported("over")[0]?.outcome, "deadline");
});

Deno.test("joining replaces the deadline and the lease", async () => {
  const { drain, relay, clock } = await openProxy(1);
  const first = await drain.drain(request({ timeout: 10_000, lease: MINUTE, reason: "a" }));
  await clock.pass(8000);
  const second = await drain.drain(request({ timeout: 5000, lease: 2 * MINUTE }));
  assert.equal(drain.status.deadline, clock.wall() + 5000);
  assert.equal(drain.status.reason, "a");
  await clock.pass(4000);
  relay.finishAll();
  assert.equal((await first.settled).outcome, "drained");
  assert.equal((await second.settled).outcome, "drained");
  assert.equal(drain.status.leaseExpires, clock.wall() + 2 * MINUTE);
});

Deno.test("joining with a nearer deadline ends it earlier, for all who wait", async () => {
  const { drain, clock } = await openProxy(1);
  const first = await drain.drain(request({ timeout: MINUTE }));
  const second = await drain.drain(request({ timeout: 1000 }));
  await clock.pass(1000);
  assert.equal((await first.settled).outcome, "deadline");
  assert.equal((await second.settled).outcome, "deadline");
});

Deno.test("already drained: the lease is renewed", async () => {
  const { drain, clock, disk } = await openProxy(0);
  await drain.drain(request({ lease: 10_000 }));
  await clock.pass(9000);
  const waiter = await drain.drain(request({ lease: 10_000 }));
  const outcome = await waiter.settled;
  assert.deepEqual([outcome.outcome, outcome.waited], ["drained", 0]);
  assert.equal(drain.status.leaseExpires, clock.wall() + 10_000);
  assert.equal(Date.parse(disk.record?.leaseExpires ?? ""), clock.wall() + 10_000);
  await clock.pass(9999);
  assert.equal(drain.status.state, "drained");
});

Deno.test("who shortens a drain that is there is told by how much, and who renews it is not", async () => {
  const { drain, relay, clock } = await openProxy(1);
  await drain.drain(request({ timeout: MINUTE }));
  await clock.pass(2000);
  assert.equal((await drain.drain(request({ timeout: MINUTE }))).notice, null);
  assert.equal(
    (await drain.drain(request({ timeout: 5000 }))).notice,
    "This shortens the drain that is there: its deadline is in 5.0s, not in 1m",
  );
  assert.equal((await drain.drain(request({ timeout: null }))).notice, null);
  assert.equal(
    (await drain.drain(request({ timeout: 5000, lease: null }))).notice,
    "This shortens the drain that is there: its deadline is in 5.0s, where it had none",
  );
  relay.finishAll();
  await idle();
  assert.equal(drain.status.state, "drained");
  const settled = async (lease: number) =>
    (await (await drain.drain(request({ lease }))).settled).message;
  assert.equal(
    await settled(MINUTE),
    "Already drained. This shortens the drain that is there: its lease ends in 1m, where it had none",
  );
  assert.equal(await settled(2 * MINUTE), "Already drained; the lease was renewed");
});

Deno.test("another owner is refused, and told owner, reason, since, expiry and the command", async () => {
  const { drain, relay, clock } = await openProxy(1);
  await drain.drain(request({ owner: "it's me", reason: "upgrade of db", timeout: MINUTE }));
  await assert.rejects(drain.drain(request({ owner: "bob" })), {
    name: "DrainRefused",
    code: "held_by_another",
    message: `The proxy is being drained by "it's me" (upgrade of db) ` +
      "for 0ms (12:00:00Z), deadline in 1m; " +
      "to end that: proxyctl resume --owner 'it'\\''s me'",
  });
  await clock.pass(1000);
  relay.finishAll();
  await idle();
  await assert.rejects(drain.drain(request({ owner: "bob" })), {
    message: `The proxy is drained by "it's me" (upgrade of db) ` +
      "for 1.0s (12:00:00Z), lease ends in 1h; " +
      "to end that: proxyctl resume --owner 'it'\\''s me'",
  });
  await assert.rejects(drain.resume("bob", false), { code: "held_by_another" });
  assert.throws(() => drain.wouldOpen("bob", false), { code: "held_by_another" });
  assert.equal(drain.wouldOpen("bob", true), true);
  assert.equal(drain.refusal(request({ owner: "bob" }))?.code, "held_by_another");
  assert.equal(drain.status.owner, "it's me");
});

Deno.test("force resumes what another holds", async () => {
  const { drain, proxy } = await openProxy(1);
  const waiter = await drain.drain(request());
  assert.equal((await drain.resume("bob", true)).changed, true);
  const outcome = await waiter.settled;
  assert.deepEqual(
    [outcome.outcome, outcome.message],
    ["ended", 'The drain was ended by "bob", by force'],
  );
  assert.equal(proxy.reported("resumed")[0]?.cause, "forced");
});

Deno.test("an exclusive drain refuses the same owner, and absorbs exactly one resume", async () => {
  const { drain, proxy } = await openProxy(0);
  await drain.drain(request({ owner: "disnix", exclusive: true }));
  await assert.rejects(drain.drain(request({ owner: "disnix", exclusive: true })), {
    code: "held_by_another",
    message: /the owner is the same, but that drain is exclusive/,
  });
  assert.equal(drain.wouldOpen("disnix", false), false);
  const absorbed = await drain.resume("disnix", false);
  assert.deepEqual([absorbed.changed, absorbed.absorbed], [false, true]);
  assert.match(absorbed.message, /^Nothing was resumed: an earlier drain of "disnix" was refused/);
  assert.equal(drain.status.state, "drained");
  assert.equal(drain.wouldOpen("disnix", false), true);
  assert.equal((await drain.resume("disnix", false)).changed, true);
  assert.equal(drain.wouldOpen("disnix", false), false);
  assert.equal(proxy.reported("refused").length, 1);
  assert.equal(proxy.reported("absorbed").length, 1);
});

Deno.test("an exclusive request is refused by a drain that is not", async () => {
  const { drain } = await openProxy(0);
  await drain.drain(request());
  await assert.rejects(drain.drain(request({ exclusive: true })), {
    message: /the owner is the same, but this request is exclusive/,
  });
  assert.equal((await drain.resume("ann", false)).absorbed, true);
  assert.equal((await drain.resume("ann", false)).changed, true);
});

Deno.test("a refusal that absorbs names a command that is not absorbed", async () => {
  const { drain } = await openProxy(0);
  await drain.drain(request({ exclusive: true }));
  const endedByForce = { message: /proxyctl resume --owner ann --force/ };
  await assert.rejects(drain.drain(request({ exclusive: true })), endedByForce);
  await assert.rejects(drain.drain(request({ owner: "bob" })), endedByForce);
  const { message } = await drain.resume("ann", false);
  assert.match(message, /proxyctl resume --owner ann$/);
  assert.equal((await drain.resume("ann", false)).changed, true);
});

Deno.test("force is never absorbed", async () => {
  const { drain } = await openProxy(0);
  await drain.drain(request({ exclusive: true }));
  await assert.rejects(drain.drain(request({ exclusive: true })));
  assert.equal((await drain.resume("ann", true)).changed, true);
});

Deno.test("an exclusive drain that another owner refused absorbs one resume as well", async () => {
  const { drain } = await openProxy(0);
  await drain.drain(request({ owner: "ann" }));
  await assert.rejects(drain.drain(request({ owner: "bob", exclusive: true })));
  assert.equal((await drain.resume("bob", false)).absorbed, true);
  await assert.rejects(drain.resume("bob", false), { code: "held_by_another" });
});

Deno.test("a refused drain that nobody wanted exclusive absorbs nothing", async () => {
  const { drain } = await openProxy(0);
  await drain.drain(request({ owner: "ann" }));
  await assert.rejects(drain.drain(request({ owner: "bob" })));
  await assert.rejects(drain.resume("bob", false), { code: "held_by_another" });
});

Deno.test("a refusal absorbs for five minutes", async () => {
  for (const [wait, absorbed] of [[ABSORB_WITHIN - 1, true], [ABSORB_WITHIN, false]] as const) {
    const { drain, clock } = await openProxy(0);
    await drain.drain(request({ exclusive: true }));
    await assert.rejects(drain.drain(request({ exclusive: true })));
    await clock.pass(wait);
    assert.equal((await drain.resume("ann", false)).absorbed, absorbed);
  }
});

Deno.test("refusals are forgotten with the drain that caused them", async () => {
  const { drain } = await openProxy(0);
  await drain.drain(request({ exclusive: true }));
  await assert.rejects(drain.drain(request({ exclusive: true })));
  await drain.resume("ann", true);
  await drain.drain(request({ exclusive: true }));
  assert.equal((await drain.resume("ann", false)).changed, true);
});

Deno.test("after a drain that failed by its deadline there is nothing to absorb", async () => {
  const { drain, relay, clock } = await openProxy(1);
  await drain.drain(request({ exclusive: true, timeout: 1000 }));
  await assert.rejects(drain.drain(request({ exclusive: true })));
  await clock.pass(1000);
  assert.equal((await drain.resume("ann", false)).message, "Already open");
  relay.finishAll();
  await drain.drain(request({ owner: "bob" }));
  await assert.rejects(drain.resume("ann", false), { code: "held_by_another" });
});

Deno.test("refusals survive a crash, with the time that they have left", async () => {
  const { drain, clock, disk } = await openProxy(0);
  await drain.drain(request({ exclusive: true }));
  await assert.rejects(drain.drain(request({ exclusive: true })));
  await assert.rejects(drain.drain(request({ exclusive: true })));
  await clock.pass(ABSORB_WITHIN - 1000);
  const after = await restarted(disk, clock);
  assert.equal((await after.drain.resume("ann", false)).absorbed, true);
  await after.clock.pass(1000);
  assert.equal((await after.drain.resume("ann", false)).changed, true);
});

Deno.test("a refusal that was used up stays used up after a crash", async () => {
  const { drain, clock, disk } = await openProxy(0);
  await drain.drain(request({ exclusive: true }));
  await assert.rejects(drain.drain(request({ exclusive: true })));
  await drain.resume("ann", false);
  const after = await restarted(disk, clock);
  assert.equal((await after.drain.resume("ann", false)).changed, true);
});

Deno.test("--close-idle cuts those without a byte for that long, at any time", async () => {
  const { drain, relay, clock } = await openProxy(3);
  await clock.pass(40_000);
  relay.touch(2);
  relay.touch(3);
  const waiter = await drain.drain(request({ timeout: 5 * MINUTE, closeIdle: 30_000 }));
  assert.deepEqual(relay.cut, [1]);
  await clock.pass(20_000);
  relay.touch(3);
  await clock.pass(10_000);
  assert.deepEqual(relay.cut, [1, 2]);
  await clock.pass(10_000);
  relay.touch(3);
  await clock.pass(29_000);
  assert.equal(drain.status.state, "draining");
  await clock.pass(1000);
  const outcome = await waiter.settled;
  assert.deepEqual([outcome.outcome, outcome.cut], ["drained", 3]);
  assert.equal(outcome.message, "Drained after 1m10s; 3 connections were cut");
});

Deno.test("--close-idle does not look at everybody each time that somebody gets idle", async () => {
  const { drain, relay, clock } = await openProxy(0);
  for (let count = 0; count < 1000; count++) {
    relay.arrive();
    await clock.pass(10);
  }
  relay.looks = 0;
  await drain.drain(request({ closeIdle: 30_000 }));
  await clock.pass(35_000);
  assert.equal(drain.status.state, "drained");
  assert.equal(relay.cut.length, 1000);
  assert.ok(relay.looks < 100, `${relay.looks} looks`);
});

Deno.test("a deadline after --close-idle says what was cut before", async () => {
  const { drain, relay, clock } = await openProxy(2);
  const waiter = await drain.drain(request({ timeout: 5000, closeIdle: 4000 }));
  await clock.pass(3000);
  relay.touch(2);
  await clock.pass(2000);
  const outcome = await waiter.settled;
  assert.deepEqual([outcome.outcome, outcome.cut], ["deadline", 1]);
  assert.match(outcome.message, /traffic was resumed, 1 connection was cut before$/);
});

Deno.test("--close-remaining cuts what is left at the deadline, and that is a success", async () => {
  const { drain, relay, clock } = await openProxy(2);
  const waiter = await drain.drain(request({ timeout: 5000, closeRemaining: true }));
  await clock.pass(4999);
  assert.deepEqual(relay.cut, []);
  await clock.pass(1);
  const outcome = await waiter.settled;
  assert.deepEqual([outcome.outcome, outcome.cut, relay.cut], ["drained", 2, [1, 2]]);
});

Deno.test("joining without close options keeps those that there are", async () => {
  const { drain, relay, clock } = await openProxy(2);
  await drain.drain(request({ closeIdle: 4000, closeRemaining: true }));
  await drain.drain(request({ timeout: 5000 }));
  await clock.pass(3000);
  relay.touch(2);
  await clock.pass(1000);
  assert.deepEqual(relay.cut, [1]);
  await clock.pass(1000);
  assert.deepEqual(relay.cut, [1, 2]);
  assert.equal(drain.status.state, "drained");
});

Deno.test("connections that take a while to be gone are cut and counted once", async () => {
  const io = new IoQueue();
  const { drain, relay, clock } = await openProxy(2, {
    closeLater: true,
    perform: (name, effect) =>
      name === "closed" ? io.perform(name, effect) : Promise.resolve(effect()),
  });
  const waiter = await drain.drain(request({ timeout: 1000, closeRemaining: true }));
  await clock.pass(10_000);
  assert.equal(drain.status.state, "draining");
  assert.equal(io.size, 2);
  assert.ok(relay.looks < 100, `${relay.looks} looks`);
  io.step();
  io.step(1);
  assert.deepEqual([(await waiter.settled).cut, relay.cut.length], [2, 2]);
});

Deno.test("the last waiter that leaves before drained cancels the drain", async () => {
  const { drain, relay, disk, proxy } = await openProxy(1);
  const first = await drain.drain(request());
  const second = await drain.drain(request());
  first.leave();
  first.leave();
  await idle();
  assert.equal(drain.status.state, "draining");
  second.leave();
  await idle();
  assert.equal(drain.status.state, "open");
  assert.deepEqual([relay.holding, disk.record], [false, null]);
  assert.equal(proxy.reported("resumed")[0]?.cause, "cancelled");
  assert.equal(proxy.reported("over")[0]?.outcome, "cancelled");
  assert.equal((await first.ended).outcome, "cancelled");
  assert.equal((await second.ended).outcome, "cancelled");
});

Deno.test("who has been told that it is drained need not be there any more", async () => {
  const { drain } = await openProxy(0);
  const waiter = await drain.drain(request());
  waiter.told();
  waiter.leave();
  await idle();
  assert.equal(drain.status.state, "drained");
});

Deno.test("a drain is cancelled if nobody could be told that it is drained", async () => {
  const { drain, relay } = await openProxy(1);
  const [first, second] = [await drain.drain(request()), await drain.drain(request())];
  relay.finishAll();
  assert.equal((await first.settled).outcome, "drained");
  first.leave();
  await idle();
  assert.equal(drain.status.state, "drained");
  second.leave();
  await idle();
  assert.equal(drain.status.state, "open");
});

Deno.test("who could not be told does not end what somebody else has been told", async () => {
  const { drain } = await openProxy(0);
  (await drain.drain(request())).told();
  (await drain.drain(request())).leave();
  await idle();
  assert.equal(drain.status.state, "drained");
});

Deno.test("a drain that is renewed for ever remembers nobody who has been told", async () => {
  const { drain, relay } = await openProxy(1);
  for (let time = 0; time < 10; time++) (await drain.drain(request({ wait: false }))).told();
  relay.finishAll();
  await idle();
  for (let time = 0; time < 10; time++) (await drain.drain(request())).told();
  await idle();
  assert.deepEqual([drain.status.state, drain.waiting], ["drained", 0]);
});

Deno.test("a waiter knows whether the drain was there before", async () => {
  const { drain } = await openProxy(1);
  assert.equal((await drain.drain(request())).joined, false);
  assert.equal((await drain.drain(request())).joined, true);
});

Deno.test("an attached waiter that leaves ends the drain, even once it is drained", async () => {
  const { drain } = await openProxy(0);
  const waiter = await drain.drain(request({ attached: true, exclusive: true }));
  assert.equal((await waiter.settled).outcome, "drained");
  waiter.leave();
  await idle();
  assert.equal(drain.status.state, "open");
});

Deno.test("an attached waiter ends a drain that was nobody's before", async () => {
  const disk = new FakeDisk();
  const proxy = await restarted(disk, new FakeClock(), { startDrained: true });
  const waiter = await proxy.drain.drain(request({ attached: true, exclusive: true }));
  waiter.leave();
  await idle();
  assert.equal(proxy.drain.status.state, "open");
});

Deno.test("a waiter of an earlier drain has no part in the next", async () => {
  const { drain } = await openProxy(1);
  const early = await drain.drain(request());
  await drain.resume("ann", false);
  await drain.drain(request());
  early.leave();
  await idle();
  assert.equal(drain.status.state, "draining");
});

Deno.test("--no-wait needs nobody who waits, even if somebody did", async () => {
  const { drain, relay } = await openProxy(1);
  const waiter = await drain.drain(request());
  await drain.drain(request({ wait: false }));
  waiter.leave();
  await idle();
  assert.equal(drain.status.state, "draining");
  relay.finishAll();
  await idle();
  assert.equal(drain.status.state, "drained");
});

Deno.test("a drain with --no-wait needs nobody, even once somebody waits", async () => {
  const { drain } = await openProxy(1);
  const asked = await drain.drain(request({ wait: false }));
  const waiter = await drain.drain(request());
  asked.leave();
  waiter.leave();
  await idle();
  assert.equal(drain.status.state, "draining");
});

Deno.test("who does not wait is told the outcome as well", async () => {
  const { drain, relay } = await openProxy(1);
  const asked = await drain.drain(request({ wait: false }));
  relay.finishAll();
  assert.equal((await asked.settled).outcome, "drained");
  await drain.resume("ann", false);
  assert.equal((await asked.ended).outcome, "ended");
});

Deno.test("restart: drained with a valid lease is drained, for as long as the lease has left", async () => {
  const { drain, clock, disk } = await openProxy(0);
  await drain.drain(request({ lease: MINUTE, reason: "upgrade", exclusive: true }));
  const { since } = drain.status;
  await clock.pass(20_000);
  const after = await restarted(disk, clock);
  assert.deepEqual(after.drain.status, {
    state: "drained",
    owner: "ann",
    reason: "upgrade",
    since,
    deadline: null,
    leaseExpires: clock.wall() + 40_000,
  });
  assert.equal(after.relay.holding, true);
  assert.equal(after.reported("restored").length, 1);
  assert.notEqual(after.drain.refusal(request()), null);
  await after.clock.pass(40_000);
  assert.equal(after.drain.status.state, "open");
});

Deno.test("restart: draining is open, loudly, because its waiters are gone", async () => {
  const { drain, clock, disk } = await openProxy(1);
  await drain.drain(request());
  const after = await restarted(disk, clock);
  assert.equal(after.drain.status.state, "open");
  assert.deepEqual([after.relay.holding, disk.record], [false, null]);
  assert.deepEqual(after.reported("abandoned"), [
    { type: "abandoned", owner: "ann", expired: false },
  ]);
});

Deno.test("restart: draining with --no-wait is drained, and its lease starts", async () => {
  const { drain, clock, disk } = await openProxy(1);
  await drain.drain(request({ wait: false, lease: MINUTE }));
  await clock.pass(30_000);
  const after = await restarted(disk, clock);
  assert.equal(after.drain.status.state, "drained");
  assert.equal(after.drain.status.leaseExpires, clock.wall() + MINUTE);
  assert.equal(disk.record?.state, "drained");
});

Deno.test("restart: expired is open, loudly", async () => {
  for (const wait of [false, true]) {
    const { drain, relay, clock, disk } = await openProxy(1);
    await drain.drain(request({ timeout: 1000, lease: MINUTE, wait }));
    if (wait) relay.finishAll();
    await idle();
    clock.jump(MINUTE);
    const after = await restarted(disk, clock);
    assert.equal(after.drain.status.state, "open");
    assert.deepEqual([after.relay.holding, disk.record], [false, null]);
    assert.deepEqual(after.reported("abandoned"), [
      { type: "abandoned", owner: "ann", expired: true },
    ]);
  }
});

Deno.test("restart: a wall clock that was set back makes no lease longer", async () => {
  const { drain, clock, disk } = await openProxy(0);
  await drain.drain(request({ lease: MINUTE }));
  clock.jump(-60 * MINUTE);
  const after = await restarted(disk, clock);
  assert.equal(after.drain.status.leaseExpires, clock.wall() + MINUTE);
});

Deno.test("a wall clock that is set changes nothing while the process lives", async () => {
  const { drain, clock } = await openProxy(0);
  await drain.drain(request({ lease: MINUTE }));
  clock.jump(60 * MINUTE);
  await clock.pass(MINUTE - 1);
  assert.equal(drain.status.state, "drained");
  await clock.pass(1);
  assert.equal(drain.status.state, "open");
});

Deno.test("--start-drained is drained, nobody's, and ends with its lease", async () => {
  const disk = new FakeDisk();
  const proxy = await restarted(disk, new FakeClock(), { startDrained: true });
  const { state, owner, leaseExpires } = proxy.drain.status;
  assert.deepEqual([state, owner, proxy.relay.holding], ["drained", null, true]);
  assert.equal(leaseExpires, proxy.clock.wall() + START_DRAINED_LEASE);
  assert.equal(disk.record?.state, "drained");
  assert.equal((await proxy.drain.resume("anybody", false)).changed, true);
});

Deno.test("--start-drained keeps an owner that the record has, and says what it abandons", async () => {
  const { drain, relay, clock, disk } = await openProxy(1);
  await drain.drain(request());
  const draining = disk.text;
  relay.finishAll();
  await idle();
  const kept = await restarted(disk, clock, { startDrained: true });
  assert.equal(kept.drain.status.owner, "ann");
  disk.text = draining;
  const abandoned = await restarted(disk, clock, { startDrained: true });
  assert.deepEqual(
    [abandoned.drain.status.state, abandoned.drain.status.owner],
    ["drained", null],
  );
  assert.equal(abandoned.reported("abandoned").length, 1);
});

Deno.test("whoever drains first what was started drained becomes its owner", async () => {
  const proxy = await restarted(new FakeDisk(), new FakeClock(), { startDrained: true });
  await proxy.drain.drain(request({ owner: "bob", exclusive: true }));
  assert.equal(proxy.drain.status.owner, "bob");
  await assert.rejects(proxy.drain.resume("ann", false), { code: "held_by_another" });
});

Deno.test("a retarget during a drain survives a crash", async () => {
  const { drain, relay, clock, disk } = await openProxy(0);
  await drain.drain(request());
  await drain.retarget(parseAddress("new.example:81"));
  assert.equal(formatAddress(relay.upstream), "new.example:81");
  const after = await restarted(disk, clock);
  assert.equal(formatAddress(after.relay.upstream), "new.example:81");
  assert.deepEqual(after.reported("retargeted"), [
    {
      type: "retargeted",
      upstream: "new.example:81",
      commandUpstream: COMMAND_UPSTREAM,
      restored: true,
    },
  ]);
  assert.equal(disk.record?.upstream, "new.example:81");
});

Deno.test("a retarget before a drain survives a crash during it", async () => {
  const { drain, clock, disk } = await openProxy(0);
  await drain.retarget(parseAddress("new.example:81"));
  assert.equal(disk.text, null);
  await drain.drain(request());
  const after = await restarted(disk, clock);
  assert.equal(formatAddress(after.relay.upstream), "new.example:81");
});

Deno.test("another upstream on the command line than the recorded one wins", async () => {
  const { drain, clock, disk } = await openProxy(0);
  await drain.drain(request());
  await drain.retarget(parseAddress("new.example:81"));
  const after = await restarted(disk, clock, { commandUpstream: "newer.example:82" });
  assert.equal(formatAddress(after.relay.upstream), "newer.example:82");
  assert.equal(after.drain.status.state, "drained");
  assert.deepEqual(
    [disk.record?.commandUpstream, disk.record?.upstream],
    ["newer.example:82", null],
  );
});

Deno.test("a record that cannot be written refuses the drain, which leaves nothing behind", async () => {
  for (const fault of ["before", "after"] as const) {
    const { drain, relay, disk, proxy } = await openProxy(1);
    disk.failWrite = fault;
    await assert.rejects(drain.drain(request()), {
      name: "DrainRefused",
      code: "record_not_written",
      message: /^Failed to write the drain record, so nothing was changed: /,
    });
    assert.equal(drain.status.state, "open");
    assert.equal(relay.holding, false);
    assert.equal(disk.text, null);
    assert.deepEqual(proxy.events.map(({ type }) => type), ["record_failed"]);
  }
});

Deno.test("a record that cannot be written refuses a join and a retarget, which change nothing", async () => {
  const { drain, relay, disk } = await openProxy(1);
  await drain.drain(request({ timeout: MINUTE }));
  const before = drain.status;
  disk.failWrite = "before";
  await assert.rejects(drain.drain(request({ timeout: 1000 })), { code: "record_not_written" });
  disk.failWrite = "before";
  await assert.rejects(drain.retarget(parseAddress("new.example:81")), {
    code: "record_not_written",
  });
  assert.deepEqual(drain.status, before);
  assert.equal(formatAddress(relay.upstream), "old.example:80");
});

Deno.test("a write that fails at the drained step resumes, and is reported", async () => {
  const { drain, relay, disk, proxy } = await openProxy(1);
  const waiter = await drain.drain(request());
  disk.failWrite = "before";
  relay.finishAll();
  const outcome = await waiter.settled;
  assert.deepEqual(
    [outcome.outcome, outcome.message],
    ["refused", "Failed to write the drain record; traffic was resumed"],
  );
  assert.equal(drain.status.state, "open");
  assert.deepEqual([relay.holding, disk.text], [false, null]);
  assert.deepEqual(proxy.reported("record_failed"), [
    { type: "record_failed", action: "write", error: "no space left" },
  ]);
  assert.equal(proxy.reported("resumed")[0]?.cause, "record");
});

Deno.test("a record that cannot be removed keeps nobody waiting, and is reported", async () => {
  const { drain, relay, disk, proxy } = await openProxy(0);
  await drain.drain(request());
  disk.failRemove = "before";
  assert.equal((await drain.resume("ann", false)).changed, true);
  assert.equal(relay.holding, false);
  assert.equal(proxy.reported("record_failed")[0]?.action, "remove");
});

Deno.test("a relay that cannot hold fails the drain, and is open", async () => {
  const { drain, relay, disk } = await openProxy(1);
  relay.failing.hold = new Error("no");
  await assert.rejects(drain.drain(request()), { message: "no" });
  assert.deepEqual([drain.status.state, relay.holding, disk.text], ["open", false, null]);
});

Deno.test("a relay that cannot open fails the resume, which can be tried again", async () => {
  const { drain, relay, disk } = await openProxy(0);
  await drain.drain(request());
  relay.failing.open = new Error("no");
  await assert.rejects(drain.resume("ann", false), { message: "no" });
  assert.deepEqual([drain.status.state, disk.record?.state], ["drained", "drained"]);
  assert.equal((await drain.resume("ann", false)).changed, true);
});

Deno.test("a keeper that does not give back what it has fails the resume; nothing has changed", async () => {
  const { drain, relay, disk } = await openProxy(0);
  await drain.drain(request());
  drain.park(() => Promise.reject(new DrainRefused("parked", "it does not end")));
  const before = disk.text;
  await assert.rejects(drain.resume("ann", false), { code: "parked" });
  assert.deepEqual([drain.status.state, relay.holding, disk.text], ["drained", true, before]);
  drain.unpark();
  assert.equal((await drain.resume("ann", false)).changed, true);
});

Deno.test("a relay that cannot open when nobody asked is an uncaught error, not silence", async () => {
  const { drain, relay, clock } = await openProxy(0);
  await drain.drain(request({ lease: 1000 }));
  relay.failing.open = new Error("no");
  const errors: string[] = [];
  const listener = (event: ErrorEvent) => {
    event.preventDefault();
    errors.push(event.message);
  };
  globalThis.addEventListener("error", listener);
  await clock.pass(1000);
  globalThis.removeEventListener("error", listener);
  assert.equal(errors.length, 1);
  assert.match(errors[0] ?? "", /no/);
  await clock.pass(1000);
  assert.equal(drain.status.state, "open");
});

Deno.test("a proxy that stops tells those who wait; the record stays and it stays closed", async () => {
  const { drain, relay, disk, clock, proxy } = await openProxy(1);
  const waiter = await drain.drain(request({ timeout: 1000 }));
  const before = disk.text;
  await drain.stop();
  await drain.stop();
  const outcome = await waiter.ended;
  assert.deepEqual(
    [outcome.outcome, outcome.message],
    ["stopped", "The proxy stopped before it was drained"],
  );
  assert.equal(proxy.reported("over").length, 1);
  relay.finishAll();
  await clock.pass(MINUTE);
  assert.deepEqual([disk.text, relay.holding], [before, true]);
  assert.equal(clock.timers, 0);
  const stopping = { code: "stopping" };
  await assert.rejects(drain.drain(request()), stopping);
  await assert.rejects(drain.resume("ann", true), stopping);
  await assert.rejects(drain.retarget(parseAddress("new.example:81")), stopping);
  assert.throws(() => drain.wouldOpen("ann", true), DrainRefused);
});

Deno.test("a waiter that leaves while the proxy stops is told as well", async () => {
  const { drain, relay, disk } = await openProxy(1);
  const waiter = await drain.drain(request());
  waiter.leave();
  await drain.stop();
  assert.equal(await isKept(waiter.ended), true);
  assert.deepEqual([relay.holding, disk.record?.state], [true, "draining"]);
});

Deno.test("what is due comes before a command: an expired lease is not joined", async () => {
  const io = new IoQueue();
  let slow = false;
  const { drain, clock } = await openProxy(0, {
    perform: (name, effect) => slow ? io.perform(name, effect) : Promise.resolve(effect()),
  });
  await drain.drain(request({ lease: 1000 }));
  slow = true;
  const retarget = drain.retarget(parseAddress("new.example:81"));
  const joining = drain.drain(request({ lease: MINUTE, reason: "late" }));
  await clock.pass(1000);
  slow = false;
  io.step();
  io.step();
  await retarget;
  await joining;
  assert.equal(drain.status.reason, "late");
  assert.equal(drain.status.since, clock.wall(), "it is a drain of its own");
});

Deno.test("a lease that ended while it was being renewed is not told as drained", async () => {
  for (const wait of [true, false]) {
    const io = new IoQueue();
    let slow = false;
    const { drain, clock } = await openProxy(0, {
      perform: (name, effect) => slow ? io.perform(name, effect) : Promise.resolve(effect()),
    });
    await drain.drain(request());
    slow = true;
    const joining = drain.drain(request({ lease: 1000, wait }));
    await clock.pass(1000);
    slow = false;
    io.step();
    io.step();
    const outcome = await (await joining).settled;
    assert.deepEqual([outcome.outcome, outcome.message], [
      "ended",
      "The lease expired; traffic was resumed",
    ]);
  }
});

Deno.test("commands that overlap take effect one after the other", async () => {
  const { drain } = await openProxy(1);
  const [first, second, third, fourth] = await Promise.allSettled([
    drain.drain(request({ owner: "ann" })),
    drain.drain(request({ owner: "bob" })),
    drain.resume("ann", false),
    drain.drain(request({ owner: "bob" })),
  ]);
  assert.deepEqual(
    [first.status, second.status, third.status, fourth.status],
    ["fulfilled", "rejected", "fulfilled", "fulfilled"],
  );
  assert.equal(drain.status.owner, "bob");
});

Deno.test("an open proxy that nobody needs stops; that is found out while it holds", async () => {
  const { drain, relay } = await openProxy(0);
  const seen: boolean[] = [];
  const end = () => seen.push(relay.holding) > 0;
  assert.equal(await drain.stopIfUnused(end), true);
  assert.deepEqual(seen, [true]);
  assert.equal(relay.holding, true);
  await assert.rejects(drain.drain(request()), { code: "stopping" });
  assert.equal(await drain.stopIfUnused(end), false, "it has stopped already");
});

Deno.test("an open proxy that somebody needs after all is opened again, and can be drained", async () => {
  const { drain, relay } = await openProxy(0);
  const end = () => {
    relay.arrive();
    return false;
  };
  assert.equal(await drain.stopIfUnused(end), false);
  assert.deepEqual([relay.holding, relay.active], [false, 1]);
  await drain.drain(request());
  assert.equal(drain.status.state, "draining");
});

Deno.test("a drained proxy is not asked whether somebody needs it", async () => {
  const { drain } = await openProxy(0);
  await drain.drain(request());
  assert.equal(await drain.stopIfUnused(() => assert.fail()), false);
  assert.equal(drain.status.state, "drained");
});
