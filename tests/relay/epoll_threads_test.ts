import assert from "node:assert/strict";
import { conformance } from "./conformance.ts";
import { echo, Peer } from "./peer.ts";
import { Stage } from "./stage.ts";
import { pause } from "./waiting.ts";

conformance("epoll in 2 threads");

Deno.test("with 4 threads, 10,000 clients racing 200 holds: while it is held nobody is accepted, in the end all are served", async () => {
  const cycles = 200;
  const visits = 10_000;
  await using service = await echo();
  await using stage = await Stage.set("epoll", { upstream: service.address, threads: 4 });
  const { relay } = stage;
  let begun = 0;
  let served = 0;
  const visitor = async () => {
    while (begun++ < visits) {
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
  for (let cycle = 0; cycle < cycles; cycle++) {
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
  assert.equal(served, visits);
  assert.equal(relay.counters.accepted, visits);
  assert(queued > 0, "there were some to be held");
});
