import assert from "node:assert/strict";
import { conformanceOfAll, conformanceOfConnection, conformanceOfHeld } from "../conformance.ts";
import { brieflyOr, isLong } from "../../support/long.ts";
import { echo, Peer } from "../peer.ts";
import { Stage } from "../stage.ts";
import { pause } from "../waiting.ts";

if (isLong) {
  conformanceOfConnection("epoll in 2 threads");
  conformanceOfHeld("epoll in 2 threads");
  conformanceOfAll("epoll in 2 threads");
}

const CYCLES = brieflyOr(20, 200);
const VISITS = brieflyOr(600, 10_000);

Deno.test(`with 4 threads, ${VISITS} clients racing ${CYCLES} holds: while it is held nobody is accepted, in the end all are served`, async () => {
  await using service = await echo();
  await using stage = await Stage.set("epoll", { upstream: service.address, threads: 4 });
  const { relay } = stage;
  let begun = 0;
  let served = 0;
  const visitor = async () => {
    while (begun++ < VISITS) {
      using client = await Peer.connect(relay.listen);
      await client.send("x");
      await client.read(1);
      served++;
      client.finish();
      await client.ending;
    }
  };
  const crowd = Array.from({ length: 50 }, visitor);
  let early = 0;
  let queued = 0;
  for (let cycle = 0; cycle < CYCLES; cycle++) {
    await relay.hold();
    const before = relay.counters.accepted;
    await pause(cycle % 5);
    early += relay.counters.accepted - before;
    queued = Math.max(queued, relay.queued ?? 0);
    await relay.open();
    await pause(cycle % 7);
  }
  await Promise.all(crowd);
  assert.equal(early, 0);
  assert.equal(served, VISITS);
  assert.equal(relay.counters.accepted, VISITS);
  assert(queued > 0, "there were some to be held");
});
