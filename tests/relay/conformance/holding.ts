import assert from "node:assert/strict";
import { setImmediate } from "node:timers";
import { brieflyOr } from "../../support/long.ts";
import { echo, Peer, Service, unusedAddress } from "../peer.ts";
import type { Kind } from "../relays.ts";
import { Stage } from "../stage.ts";
import { eventually, pause } from "../waiting.ts";

/** How often it holds and opens under a crowd. */
const CYCLES = brieflyOr(60, 1500);

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
    const began = performance.now();
    const clients = [];
    for (let count = 0; count < 200; count++) {
      const client = await stage.client();
      clients.push(client);
      await client.send(`${count}`.padStart(3));
    }
    await queued(stage, clients.length);
    await pause(50);
    const { longestHold } = stage.relay;
    const { held, longest } = await stage.relay.open();
    assert.equal(held, clients.length);
    assert(longestHold >= 50 && longestHold <= longest, `${longestHold} of ${longest}`);
    assert(longest >= 50 && longest <= performance.now() - began + 1, `${longest}`);
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
    assert.equal(stage.relay.longestHold, 0);
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
    for (let cycle = 1; cycle <= CYCLES; cycle++) {
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
    assert(served > CYCLES / 5, `only ${served} were served`);
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

  Deno.test(`${kind}: clients that are still being connected are held at once, and served first, with all they said`, async () => {
    const upstream = await unusedAddress();
    await using stage = await Stage.set(kind, { upstream, connectTimeout: 1000 });
    const { relay, events } = stage;
    const clients: Peer[] = [];
    for (let count = 0; count < 4; count++) {
      const client = await stage.client();
      await client.send(`${count}`);
      clients.push(client);
      await eventually(() => relay.active === clients.length);
    }
    await relay.hold();
    assert.equal(relay.active, 0);
    assert.deepEqual([...relay.connections()], []);
    assert.deepEqual(stage.held().map(({ state }) => state), Array(clients.length).fill("queued"));
    assert.equal(relay.queued, clients.length);
    const newcomer = await stage.client();
    await newcomer.send("n");
    await queued(stage, clients.length + 1);
    // However long it holds: their time has not begun.
    const held = performance.now();
    clients[2]?.reset();
    await queued(stage, clients.length);
    await eventually(() => /^client_(left|reset)$/.test(events.reasons.join()));
    while (performance.now() < held + 1200) await pause(20);
    for (const client of clients.toSpliced(2, 1)) await client.send("!");
    assert.equal(relay.queued, clients.length);
    await using service = await Service.start(upstream);
    const released = await relay.open();
    assert.equal(released.held, clients.length);
    assert(released.longest >= 1100 && released.longest < 20_000, `${released.longest}`);
    const said: string[] = [];
    for (const _ of clients) {
      const server = await service.next();
      const first = await server.read(1);
      said.push(first);
      if (first !== "n") assert.equal(await server.read(1), "!");
      await server.send(`to ${first}`);
    }
    // Several threads each keep the order, but not among them.
    assert.equal(said.at(-1), "n");
    assert.deepEqual(relay.threads > 1 ? said.toSorted() : said, ["0", "1", "3", "n"]);
    assert.equal(await clients[0]?.read(4), "to 0");
    await eventually(() => events.releases.length === released.held);
    assert.equal(relay.active, clients.length);
    assert.equal(relay.queued, 0);
    assert.equal(relay.counters.accepted, clients.length + 1);
  });

  Deno.test(`${kind}: who comes while it is being held is served after those that were still being connected`, async () => {
    const upstream = await unusedAddress();
    await using stage = await Stage.set(kind, { upstream });
    for (const name of ["0", "1"]) {
      const client = await stage.client();
      await client.send(name);
      await eventually(() => stage.relay.active === Number(name) + 1);
    }
    const [newcomer] = await Promise.all([stage.client(), stage.relay.hold()]);
    await newcomer.send("n");
    await queued(stage, 3);
    await using service = await Service.start(upstream);
    await stage.relay.open();
    const said: string[] = [];
    while (said.length < 3) said.push(await (await service.next()).read(1));
    assert.deepEqual(stage.relay.threads > 1 ? said.toSorted() : said, ["0", "1", "n"]);
  });

  Deno.test(`${kind}: a client that was held gives up when the time is over that begins when it opens`, async () => {
    const upstream = await unusedAddress();
    await using stage = await Stage.set(kind, { upstream, connectTimeout: 400 });
    const client = await stage.client();
    await eventually(() => stage.relay.active === 1);
    await stage.relay.hold();
    await pause(500);
    assert.equal(stage.relay.queued, 1);
    const opened = performance.now();
    await stage.relay.open();
    assert.equal(await client.ending, "reset");
    assert(performance.now() - opened > 390);
    await stage.over();
    assert.deepEqual(stage.events.reasons, ["upstream_unreachable"]);
  });

  Deno.test(`${kind}: held again and again, who is being connected is lost neither by that nor by a stop`, async () => {
    const upstream = await unusedAddress();
    await using stage = await Stage.set(kind, { upstream });
    const clients = [await stage.client(), await stage.client(), await stage.client()];
    await eventually(() => stage.relay.active === clients.length);
    for (let count = 0; count < 20; count++) {
      await stage.relay.hold();
      assert.deepEqual([stage.relay.active, stage.relay.queued], [0, clients.length]);
      assert.equal((await stage.relay.open()).held, clients.length);
      await eventually(() => stage.relay.active === clients.length);
    }
    await stage.relay.hold();
    assert.equal(await stage.relay.stopListening(), clients.length);
    for (const client of clients) assert.equal(await client.ending, "reset");
    await stage.over();
    assert.equal(stage.relay.queued, 0);
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
