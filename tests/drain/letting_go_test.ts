/** What a drain does not wait for, and who has the service let its clients go. */

import assert from "node:assert/strict";
import { snapshotForVersionBefore } from "../../lib/drain/snapshot.ts";
import { moved, openProxy, request } from "./fake_proxy.ts";
import { idle, isKept } from "./fakes.ts";

Deno.test("a drain lets go of what the proxy was told to, and of what the service has ended for a second", async () => {
  const { drain, relay } = await openProxy(1, { suspendQuiet: 20 });
  await drain.drain(request());
  assert.deepEqual(relay.lettingGo, { suspendQuiet: 20, closeEnded: 1000 });
  assert.deepEqual(drain.lettingGo, relay.lettingGo);
});

Deno.test("a drain that says what it lets go of is obeyed, and who joins it changes what they say", async () => {
  const { drain, relay } = await openProxy(1, { suspendQuiet: 20 });
  await drain.drain(request({ suspendQuiet: null, closeEnded: 5000 }));
  assert.deepEqual(relay.lettingGo, { suspendQuiet: null, closeEnded: 5000 });
  await drain.drain(request({ suspendQuiet: 100 }));
  assert.deepEqual(relay.lettingGo, { suspendQuiet: 100, closeEnded: 5000 });
  await drain.drain(request({ closeEnded: null }));
  assert.deepEqual(relay.lettingGo, { suspendQuiet: 100, closeEnded: null });
});

Deno.test("once drained, whoever joins changes nothing of what is held", async () => {
  const { drain, relay } = await openProxy(0);
  await drain.drain(request());
  const { lettingGo } = relay;
  await drain.drain(request({ suspendQuiet: 100 }));
  assert.equal(relay.lettingGo, lettingGo);
});

Deno.test("who resumes is told of those who are suspended, as of those who were held", async () => {
  const { drain, relay, clock } = await openProxy(0);
  for (
    const [suspended, held, message] of [
      [1, 0, "Resumed; 1 client was suspended, to go on at the next byte"],
      [
        2,
        1,
        "Resumed; 1 client was held, the longest for 1.0s; 2 clients were suspended, to go on at the next byte",
      ],
    ] as const
  ) {
    await drain.drain(request());
    relay.suspended = suspended;
    if (held > 0) relay.arrive();
    await clock.pass(1000);
    assert.equal((await drain.resume("ann", false)).message, message);
  }
});

Deno.test("a drain that moves goes on letting go", async () => {
  const { proxy, disk, drain } = await openProxy(1);
  await drain.drain(request({ suspendQuiet: 20, closeEnded: null }));
  const next = await moved(proxy, disk, { suspendQuiet: 700 });
  assert.deepEqual(next.relay.lettingGo, { suspendQuiet: 20, closeEnded: null });
  assert.deepEqual(next.drain.lettingGo, next.relay.lettingGo);
});

Deno.test("a retarget lets go of what it says, else of what the proxy was told to, and is counted", async () => {
  const { drain, relay } = await openProxy(1, { suspendQuiet: 20 });
  const to = { host: "new.example", port: 81 };
  assert.deepEqual(await drain.retarget(to), { retargets: 1 });
  assert.equal(relay.suspendElsewhere, 20);
  assert.equal(relay.elsewhere, 1);
  assert.deepEqual(await drain.retarget(to, null), { retargets: 2 });
  assert.equal(relay.suspendElsewhere, null);
});

Deno.test("after a move a retarget goes on letting go, and another command line is like a retarget", async () => {
  const { proxy, disk, drain } = await openProxy(1);
  await drain.retarget({ host: "new.example", port: 81 }, 20);
  const next = await moved(proxy, disk, { suspendQuiet: 700 });
  assert.deepEqual([next.relay.suspendElsewhere, next.drain.retargets], [20, 1]);
  const after = await moved(next, disk, { suspendQuiet: 700, commandUpstream: "other.example:80" });
  assert.equal(after.relay.suspendElsewhere, 700);
  assert.equal(after.relay.upstream.host, "other.example");
});

Deno.test("a drain with release is drained only once that has been said", async () => {
  const { drain, relay } = await openProxy(1);
  const waiter = await drain.drain(request({ release: true }));
  relay.finishAll();
  assert.equal(await isKept(waiter.settled), false);
  assert.equal(drain.status.state, "draining");
  assert.equal((await drain.released("ann")).state, "drained");
  assert.equal((await waiter.settled).outcome, "drained");
});

Deno.test("after a release the deadline cuts what is left, counts it, and is no failure", async () => {
  const { drain, relay, clock } = await openProxy(2);
  const waiter = await drain.drain(request({ release: true, timeout: 5000 }));
  assert.equal((await drain.released("ann")).state, "draining");
  await clock.pass(4999);
  assert.deepEqual([relay.cut, await isKept(waiter.settled)], [[], false]);
  await clock.pass(1);
  const { outcome, cut } = await waiter.settled;
  assert.deepEqual([outcome, cut], ["drained", 2]);
});

Deno.test("without a release by then the deadline ends the drain, and nothing is cut", async () => {
  for (const closeRemaining of [false, true]) {
    const { drain, relay, clock } = await openProxy(1);
    const waiter = await drain.drain(request({ release: true, timeout: 5000, closeRemaining }));
    await clock.pass(5000);
    assert.equal((await waiter.settled).outcome, "deadline");
    assert.deepEqual([relay.cut, relay.holding], [[], false]);
  }
});

Deno.test("who goes away without having released cancels the drain, or leaves it to others", async () => {
  const { drain, relay } = await openProxy(0);
  const alone = await drain.drain(request({ release: true }));
  alone.leave();
  assert.equal((await alone.settled).outcome, "cancelled");
  await idle();
  assert.equal(relay.holding, false);
  const one = await drain.drain(request({ release: true }));
  const other = await drain.drain(request());
  assert.equal(await isKept(other.settled), false);
  one.leave();
  assert.equal((await other.settled).outcome, "drained");
});

Deno.test("only a drain's owner releases it, and only while there is one", async () => {
  const { drain } = await openProxy(1);
  await assert.rejects(drain.released("ann"), { code: "not_draining" });
  await drain.drain(request({ release: true }));
  await assert.rejects(drain.released("bob"), { code: "held_by_another" });
});

Deno.test("a release that is still to be said, and one that was, move along", async () => {
  const { proxy, disk, drain } = await openProxy(1);
  const { token } = await drain.drain(request({ release: true, timeout: 5000 }));
  const next = await moved(proxy, disk);
  next.relay.finishAll();
  const waiter = await next.drain.comeBack(token);
  assert.equal(await isKept(waiter.settled), false);
  next.relay.holding = false;
  next.relay.arrive();
  next.relay.holding = true;
  await next.drain.released("ann");
  const last = await moved(next, disk);
  const back = await last.drain.comeBack(token);
  await last.clock.pass(5000);
  const { outcome, cut } = await back.settled;
  assert.deepEqual([outcome, cut], ["drained", 1]);
});

Deno.test("the version before is told nothing of letting go", async () => {
  const { drain } = await openProxy(1);
  await drain.drain(request({ suspendQuiet: 20, release: true }));
  const told = JSON.stringify(snapshotForVersionBefore(await drain.freeze()));
  assert.doesNotMatch(told, /suspend|closeEnded|releases|retargets/);
});
