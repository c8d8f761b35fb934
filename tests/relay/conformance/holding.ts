import assert from "node:assert/strict";
import { echo, Peer, Service } from "../peer.ts";
import type { Kind } from "../relays.ts";
import { Stage } from "../stage.ts";
import { eventually, pause } from "../waiting.ts";

/** Nobody is served while the relay holds, and nobody is lost by that. */
export function testHolding(kind: Kind): void {
  Deno.test(`${kind}: it is made holding`, async () => {
    await using stage = await Stage.set(kind, { holding: true });
    const client = await stage.client();
    await client.send("hello");
    await queued(stage, 1);
    assert.equal(stage.service.accepted, 0);
    assert.deepEqual((await stage.relay.open()).held, 1);
    assert.equal(await (await stage.service.next()).read(5), "hello");
  });

  Deno.test(`${kind}: while it holds, later clients wait and established ones go on`, async () => {
    await using stage = await Stage.set(kind);
    const { client, server } = await stage.pair();
    await stage.relay.hold();
    const later = await stage.client();
    await later.send("me too");
    await queued(stage, 1);
    for (let count = 0; count < 20; count++) {
      await client.send("ping");
      assert.equal(await server.read(4), "ping");
      await server.send("pong");
      assert.equal(await client.read(4), "pong");
      await pause(5);
    }
    assert.equal(stage.service.accepted, 1);
    assert.equal(stage.relay.active, 1);
    assert.equal(later.received, 0);
  });

  Deno.test(`${kind}: those held are served in the order in which they came`, async () => {
    await using stage = await Stage.set(kind, { holding: true });
    const clients = [];
    for (let count = 0; count < 200; count++) {
      const client = await stage.client();
      clients.push(client);
      await client.send(`${count}`.padStart(3));
    }
    await queued(stage, clients.length);
    await pause(50);
    const { held, longest } = await stage.relay.open();
    assert.equal(held, clients.length);
    assert(longest >= 50 && longest < 15_000, `${longest}`);
    const served = [];
    for (const _ of clients) served.push(await (await stage.service.next()).read(3));
    await eventually(() => stage.events.releases.length === clients.length);
    const opened = stage.events.openings.map(({ peer }) => peer);
    // Several threads each keep the order, but not among them.
    if (stage.relay.threads > 1) {
      served.sort();
      opened.sort();
      clients.sort((one, other) => one.name < other.name ? -1 : 1);
    }
    assert.deepEqual(served, [...clients.keys()].map((index) => `${index}`.padStart(3)));
    assert.deepEqual(opened, clients.map(({ name }) => name));
    assert.equal(Math.max(...stage.events.releases) >= 50, true);
    assert.deepEqual(await stage.relay.open(), { held: 0, longest: 0 });
  });

  Deno.test(`${kind}: however often it holds and opens, no client that comes later is served, and none is lost`, async () => {
    await using service = await echo();
    await using stage = await Stage.set(kind, { upstream: service.address });
    // 0 while open, else the number of the hold.
    let holding = 0;
    let early = 0;
    let served = 0;
    let stopped = false;
    const oneClient = async () => {
      const cameDuring = holding;
      using client = await Peer.connect(stage.relay.listen);
      await client.send("hello");
      await client.read(5);
      if (cameDuring !== 0 && cameDuring === holding) early++;
      served++;
      client.finish();
      await client.ending;
    };
    const many = async () => {
      while (!stopped) await oneClient();
    };
    const crowd = Array.from({ length: 24 }, many);
    for (let cycle = 1; cycle <= 1500; cycle++) {
      await stage.relay.hold();
      holding = cycle;
      if (cycle % 10 === 0) {
        // One that certainly came later, and all the time it needs to be served by mistake.
        const late = oneClient();
        await pause(cycle % 100 === 0 ? 30 : 2);
        holding = 0;
        await stage.relay.open();
        await late;
      } else {
        await turn();
        holding = 0;
        await stage.relay.open();
        await turn();
      }
    }
    stopped = true;
    await Promise.all(crowd);
    assert.equal(early, 0);
    await stage.over();
    assert(served > 300, `only ${served} were served`);
    assert.equal(stage.relay.counters.accepted, served);
    assert.deepEqual(new Set(stage.events.reasons), new Set(["finished"]));
  });

  Deno.test(`${kind}: what a client says while it is held, its end included, is not lost`, async () => {
    await using stage = await Stage.set(kind, { holding: true });
    const client = await stage.client();
    const size = 100_000;
    await client.send("x".repeat(size));
    client.finish();
    await queued(stage, 1);
    await stage.relay.open();
    const server = await stage.service.next();
    assert.equal((await server.rest()).length, size);
    await server.send("full answer");
    server.finish();
    assert.equal(await client.rest(), "full answer");
  });

  Deno.test(`${kind}: clients that went away while they were held disturb nobody`, async () => {
    await using service = await echo();
    await using stage = await Stage.set(kind, { holding: true, upstream: service.address });
    const left = await stage.client();
    const leftWithWords = await stage.client();
    const wasReset = await stage.client();
    const wasResetWithWords = await stage.client();
    const stayed = await stage.client();
    await queued(stage, 5);
    left.socket.destroy();
    await leftWithWords.send("bye");
    leftWithWords.socket.destroy();
    wasReset.reset();
    await wasResetWithWords.send("bye");
    wasResetWithWords.reset();
    await stayed.send("hello");
    await pause(20);
    await stage.relay.open();
    assert.equal(await stayed.read(5), "hello");
    await eventually(() => stage.relay.active === 1);
    stayed.finish();
    assert.equal(await stayed.ending, "end");
  });

  Deno.test(`${kind}: clients that left before they were accepted disturb nobody`, async () => {
    await using service = await Service.start({}, (peer) => peer.finish());
    await using stage = await Stage.set(kind, { upstream: service.address });
    for (let count = 0; count < 50; count++) (await stage.client()).reset();
    const stayed = await stage.client();
    assert.equal(await stayed.ending, "end");
  });
}

/** Waits until so many clients wait. */
async function queued(stage: Stage, count: number): Promise<void> {
  if (stage.relay.queued === null) return pause(50);
  await eventually(() => stage.relay.queued === count, `${count} queued`);
}

/** A turn of the event loop. */
function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
