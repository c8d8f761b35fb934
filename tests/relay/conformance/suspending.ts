import assert from "node:assert/strict";
import { exchange, suspend } from "../letting_go.ts";
import { Service } from "../peer.ts";
import { quickEnough } from "../quick_enough.ts";
import type { Kind } from "../relays.ts";
import { Stage } from "../stage.ts";
import { eventually, pause } from "../waiting.ts";

/** What counts as quiet, in milliseconds, where nobody has to be quicker than that. */
const QUIET = 40;

/** So long that nobody is ever quiet. */
const NEVER_QUIET = 10_000;

/** Clients whose connection is quiet outlive their service, and notice nothing. */
export function testSuspending(kind: Kind): void {
  Deno.test(`${kind}: a quiet connection is suspended, and answered by the next service`, async () => {
    await using next = await Service.start();
    await using stage = await Stage.set(kind);
    const { relay, events } = stage;
    const { client, server } = await stage.pair();
    await exchange(client, server, "one");
    const { calms } = events;
    await relay.hold(suspend(QUIET));
    await eventually(() => relay.suspended === 1, "a suspended client");
    assert.equal(await server.ending, "end");
    await eventually(() => events.calms > calms);
    assert.deepEqual([relay.active, relay.queued], [0, 0]);
    const [held] = stage.held();
    assert.deepEqual(stage.connections(), []);
    assert.deepEqual([held?.state, held?.peer, held?.tied], ["suspended", client.name, null]);
    assert.notEqual(held?.heldFor ?? null, null);
    assert.deepEqual([held?.bytesUp, held?.bytesDown], [3, 3]);
    relay.retarget(next.address);
    await relay.open();
    // It is in no hurry, and nobody hears of it.
    await pause(2 * QUIET);
    assert.deepEqual([relay.suspended, next.accepted], [1, 0]);
    await client.send("two");
    const second = await next.next();
    assert.equal(await second.read(3), "two");
    await second.send("too");
    assert.equal(await client.read(3), "too");
    await eventually(() => relay.active === 1 && relay.suspended === 0);
    assert.equal(stage.connections()[0]?.heldFor, null);
    assert.equal(stage.connections()[0]?.id, held?.id);
    assert.deepEqual(events.reasons, []);
    assert.equal(stage.service.accepted, 1);
    assert.equal(events.openings.length, 1);
  });

  Deno.test(`${kind}: a suspended client that has said something is served as soon as it is open`, async () => {
    await using stage = await Stage.set(kind);
    const { client, server } = await stage.pair();
    await exchange(client, server, "one");
    await stage.relay.hold(suspend(QUIET));
    await eventually(() => stage.relay.suspended === 1);
    // More than anybody keeps unread.
    const size = 1 << 20;
    const sent = client.send("x".repeat(size));
    await pause(2 * QUIET);
    assert.equal(stage.service.accepted, 1);
    assert.equal(stage.relay.counters.bytesUp, 3);
    await stage.relay.open();
    const second = await stage.service.next();
    await second.read(size);
    await sent;
    await second.send("all of it");
    assert.equal(await client.read(9), "all of it");
  });

  Deno.test(`${kind}: suspended again and again, it is served each time`, async () => {
    await using stage = await Stage.set(kind);
    const client = await stage.client();
    for (const word of ["one", "two", "six", "ten"]) {
      await client.send(word);
      const server = await stage.service.next();
      assert.equal(await server.read(3), word);
      await server.send(word);
      assert.equal(await client.read(3), word);
      await stage.relay.hold(suspend(QUIET));
      await eventually(() => stage.relay.suspended === 1 && stage.relay.active === 0);
      await stage.relay.open();
    }
    assert.equal(stage.relay.counters.accepted, 1);
  });

  Deno.test(`${kind}: who asks without a pause is let go as well, and each request is answered once`, async () => {
    await using before = await counting("before");
    await using after = await counting("after ");
    await using stage = await Stage.set(kind, { upstream: before.service.address });
    const clients = await Promise.all(Array.from({ length: 8 }, () => stage.client()));
    let goesOn = true;
    const answers = await Promise.all(clients.map(async (client, index) => {
      const heard: string[] = [];
      const asking = (async () => {
        for (let count = 0; goesOn || count % 10 !== 0; count++) {
          await client.send(`${index}/${count}\n`.padStart(8));
          heard.push(await client.read(14));
        }
      })();
      await eventually(() => heard.length > 3);
      return { heard, asking };
    }));
    await stage.relay.hold(suspend(QUIET));
    await eventually(() => stage.relay.suspended === clients.length, "everybody suspended");
    assert.equal(stage.relay.active, 0);
    const heardBefore = [...before.requests];
    stage.relay.retarget(after.service.address);
    await stage.relay.open();
    const served = answers.map(({ heard }) => heard.length);
    await eventually(() => answers.every(({ heard }, index) => heard.length > served[index]! + 20));
    goesOn = false;
    await Promise.all(answers.map(({ asking }) => asking));
    assert.deepEqual(before.requests, heardBefore);
    for (const [index, { heard }] of answers.entries()) {
      const mine = (requests: string[]) => requests.filter((one) => one.startsWith(`${index}/`));
      const expected = [...heard.keys()].map((count) => `${index}/${count}`);
      assert.deepEqual([...mine(before.requests), ...mine(after.requests)], expected);
      const names = [
        ...mine(before.requests).map(() => "before"),
        ...mine(after.requests).map(() => "after "),
      ];
      assert.deepEqual(
        heard.map((one) => [one.slice(0, 6), one.slice(6).trim()]),
        expected.map((one, count) => [names[count], one]),
      );
    }
    assert.deepEqual(stage.events.reasons, []);
  });

  Deno.test(`${kind}: a request that comes in pieces reaches one service whole, though that answers early`, () =>
    quickEnough(async (quiet, talker) => {
      await using stage = await Stage.set(kind);
      const { client, server } = await stage.pair();
      await exchange(client, server, "one");
      await stage.relay.hold(suspend(quiet));
      talker.begins();
      await client.send("head");
      assert.equal(await server.read(4), "head");
      await server.send("early answer");
      for (let count = 0; count < 12; count++) {
        await talker.pauses();
        await client.send("body");
        assert.equal(await server.read(4), "body");
      }
      assert.equal(client.received, 3);
      assert.equal(await client.read(12), "early answer");
      await client.send("next");
      await eventually(() => stage.relay.suspended === 1);
      assert.equal(await server.rest(), "");
      await stage.relay.open();
      assert.equal(await (await stage.service.next()).read(4), "next");
    }));

  Deno.test(`${kind}: requests that are sent together are all answered by one service, in order`, () =>
    quickEnough(async (quiet, talker) => {
      await using stage = await Stage.set(kind);
      const { client, server } = await stage.pair();
      await exchange(client, server, "one");
      await stage.relay.hold(suspend(quiet));
      await client.send("first second third ");
      assert.equal(await server.read(19), "first second third ");
      talker.begins();
      for (const answer of ["1st", "2nd", "3rd"]) {
        await server.send(answer);
        await talker.pauses();
      }
      assert.equal(await client.read(9), "1st2nd3rd");
      await eventually(() => stage.relay.suspended === 1);
      assert.equal(stage.service.accepted, 1);
    }));

  Deno.test(`${kind}: what a client says after it was answered is for the next service, whole and once`, async () => {
    await using stage = await Stage.set(kind);
    const { client, server } = await stage.pair();
    await stage.relay.hold(suspend(QUIET));
    await client.send("ask");
    assert.equal(await server.read(3), "ask");
    await server.send("yes");
    assert.equal(await client.read(3), "yes");
    // More than a socket takes at once, so that not all of it comes before the service is let go.
    const size = 4 << 20;
    const sent = client.send("y".repeat(size));
    await eventually(() => stage.relay.suspended === 1);
    assert.equal(await server.rest(), "");
    assert.equal(stage.relay.counters.bytesUp, 3);
    await stage.relay.open();
    const second = await stage.service.next();
    await eventually(() => second.received === size);
    await sent;
    await second.send("really");
    assert.equal(await client.read(6), "really");
  });

  Deno.test(`${kind}: an answer whose pauses are shorter than what counts as quiet is never cut`, () =>
    quickEnough(async (quiet, talker) => {
      await using stage = await Stage.set(kind);
      const { client, server } = await stage.pair();
      await client.send("ask");
      await server.read(3);
      // One that began before, and one that is kept back.
      for (const begins of ["before", "after"]) {
        talker.begins();
        if (begins === "before") await server.send("x");
        await stage.relay.hold(suspend(quiet));
        if (begins === "after") {
          await client.send("ask");
          await server.read(3);
        }
        for (let count = 0; count < 20; count++) {
          await talker.pauses();
          await server.send("x");
          assert.equal(stage.relay.suspended, 0);
        }
        if (begins === "before") await stage.relay.open();
      }
      await client.read(41);
      await eventually(() => stage.relay.suspended === 1);
      assert.equal(client.received, 41);
    }));

  Deno.test(`${kind}: an answer that a client reads slowly comes whole before it is suspended`, () =>
    quickEnough(async (quiet, talker) => {
      await using stage = await Stage.set(kind);
      const { client, server } = await stage.pair();
      await stage.relay.hold(suspend(quiet));
      client.socket.pause();
      await client.send("ask");
      await server.read(3);
      const size = 16 << 20;
      void server.send("z".repeat(size)).catch(() => {});
      await pause(4 * quiet);
      assert.deepEqual([stage.relay.active, stage.relay.suspended], [1, 0]);
      talker.begins();
      // A service that has no time makes pauses as well, and it is in this process.
      const beat = setInterval(() => talker.notes(), 5);
      try {
        client.socket.resume();
        const { relay } = stage;
        await eventually(() =>
          client.received === size || relay.suspended === 1 || talker.isTooSlow
        );
        talker.speaks();
        // All of it is there, but may still be on its way to the client.
        if (relay.suspended === 1) await pause(quiet);
        assert.equal(client.received, size);
        const isTied = () => stage.connections().some(({ tied }) => tied !== null);
        await eventually(() => relay.suspended === 1 || isTied());
        assert.equal(isTied(), false);
      } finally {
        clearInterval(beat);
      }
      assert.equal(await server.ending, "end");
    }));

  Deno.test(`${kind}: "HTTP/1.1 100 Continue" is no answer: the body reaches the same service`, () =>
    quickEnough(async (quiet, talker) => {
      await using stage = await Stage.set(kind);
      const { client, server } = await stage.pair();
      await stage.relay.hold(suspend(quiet));
      const go = "HTTP/1.1 100 Continue\r\n\r\n";
      const done = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
      // Alone, and with the answer right behind it.
      for (const said of [go, go + done]) {
        await client.send("Expect");
        await server.read(6);
        await server.send(said);
        assert.equal(await client.read(said.length), said);
        talker.begins();
        for (const piece of ["some", "body"]) {
          await client.send(piece);
          assert.equal(await server.read(4), piece);
          await talker.pauses();
        }
        if (said !== go) continue;
        await server.send(done);
        assert.equal(await client.read(done.length), done);
        // What it says next would be withheld.
        await stage.relay.open();
        await stage.relay.hold(suspend(quiet));
      }
      assert.equal(stage.service.accepted, 1);
    }));

  Deno.test(`${kind}: an answer that is kept back comes when the hold ends, or nothing is let go any more`, async () => {
    await using stage = await Stage.set(kind);
    const { client, server } = await stage.pair();
    const ends = [() => stage.relay.open(), () => stage.relay.hold(), () => stage.relay.open()];
    for (const end of ends) {
      await stage.relay.hold(suspend(NEVER_QUIET));
      const { received } = client;
      await client.send("ask");
      assert.equal(await server.read(3), "ask");
      await server.send("yes");
      await pause(30);
      assert.equal(client.received, received);
      await end();
      assert.equal(await client.read(3), "yes");
      await exchange(client, server, "and");
    }
  });

  Deno.test(`${kind}: who waits for an answer that is kept back is not cut as idle, but with all`, async () => {
    const limit = 500;
    await using stage = await Stage.set(kind, { idleTimeout: limit });
    const { client, server } = await stage.pair();
    await stage.relay.hold(suspend(NEVER_QUIET));
    await client.send("ask");
    assert.equal(await server.read(3), "ask");
    await server.send("yes");
    await pause(1.5 * limit);
    assert.deepEqual(await stage.relay.closeIdle(limit, "drain"), []);
    await stage.relay.open();
    assert.equal(await client.read(3), "yes");
    await eventually(() => stage.events.reasons.length === 1);
    assert.deepEqual(stage.events.reasons, ["idle_timeout"]);
    const all = await stage.pair();
    assert.equal((await stage.relay.closeIdle(0, "drain")).length, 1);
    assert.equal(await all.client.ending, "reset");
  });

  Deno.test(`${kind}: what was withheld reaches the service that is still there when the hold ends`, () =>
    quickEnough(async (quiet, talker) => {
      await using stage = await Stage.set(kind);
      const { client, server } = await stage.pair();
      for (const end of [() => stage.relay.open(), () => stage.relay.hold()]) {
        await stage.relay.hold(suspend(quiet));
        await client.send("ask");
        await server.read(3);
        talker.begins();
        await server.send("begin");
        const { received } = client;
        while (client.received === received) {
          await talker.pauses();
          await server.send(".");
        }
        await client.send("next");
        for (let count = 0; count < 5; count++) {
          await talker.pauses();
          await server.send(".");
        }
        assert.deepEqual([stage.relay.active, server.received % 7], [1, 3]);
        await end();
        assert.equal(await server.read(4), "next");
      }
      assert.equal(stage.service.accepted, 1);
    }));
}

interface Counting extends AsyncDisposable {
  readonly service: Service;
  /** What it was asked, in order. */
  readonly requests: string[];
}

/** A service that answers each line in two pieces, with its name before it. */
async function counting(name: string): Promise<Counting> {
  const requests: string[] = [];
  const service = await Service.start({}, async (peer) => {
    try {
      for (;;) {
        const request = await peer.read(8);
        requests.push(request.trim());
        await peer.send(name);
        await peer.send(request);
      }
    } catch {
      // Its client is gone, or the test is over.
    }
  });
  return { service, requests, [Symbol.asyncDispose]: () => service[Symbol.asyncDispose]() };
}
