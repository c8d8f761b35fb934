import assert from "node:assert/strict";
import { suspend, suspendedClient } from "../letting_go.ts";
import { Peer, Service } from "../peer.ts";
import type { Kind } from "../relays.ts";
import { Stage } from "../stage.ts";
import { eventually, pause } from "../waiting.ts";

/** What counts as quiet, in milliseconds. */
const QUIET = 40;

/** How long somebody who is not answered is on the way, in milliseconds. */
const LONGEST_WAY = 100;

/** How a held client can leave. */
const LEAVES: Readonly<Record<string, (client: Peer) => void>> = {
  ends: (client) => client.finish(),
  "is reset": (client) => client.reset(),
};

/** Clients that wait: those who gave up, and those who come in a crowd. */
export function testWaiting(kind: Kind): void {
  for (const [leaves, leave] of Object.entries(LEAVES)) {
    for (const isOpen of [false, true]) {
      const when = isOpen ? "once it is open again" : "while it holds";
      Deno.test(`${kind}: a suspended client that ${leaves} ${when} is dropped, and no service hears of it`, async () => {
        await using stage = await Stage.set(kind);
        const client = await suspendedClient(stage, QUIET);
        if (isOpen) await stage.relay.open();
        leave(client);
        await stage.over();
        await eventually(() => stage.events.reasons.length === 1);
        assert.deepEqual(stage.events.reasons, ["client_left"]);
        assert.equal(stage.relay.counters.closed.client_left, 1);
        // In peace.
        if (leaves === "ends") assert.equal(await client.ending, "end");
        assert.deepEqual([stage.relay.suspended, stage.relay.queued], [0, 0]);
        await stage.relay.open();
        await pause(20);
        assert.equal(stage.service.accepted, 1);
      });
    }
  }

  Deno.test(`${kind}: a suspended client that is reset after it said something is dropped`, async () => {
    await using stage = await Stage.set(kind);
    const client = await suspendedClient(stage, QUIET);
    await client.send("never mind");
    await pause(20);
    client.reset();
    await pause(20);
    await stage.relay.open();
    await eventually(() => stage.events.reasons.length === 1);
    assert.deepEqual(stage.events.reasons, ["client_left"]);
    await pause(20);
    assert.equal(stage.service.accepted, 1);
  });

  Deno.test(`${kind}: a suspended client that said something and ended is served`, async () => {
    await using stage = await Stage.set(kind);
    const client = await suspendedClient(stage, QUIET);
    await client.send("the last one");
    client.finish();
    await pause(20);
    assert.equal(stage.relay.suspended, 1);
    await stage.relay.open();
    const server = await stage.service.next();
    assert.equal(await server.rest(), "the last one");
    await server.send("farewell");
    server.finish();
    assert.equal(await client.rest(), "farewell");
  });

  Deno.test(`${kind}: a suspended client that said something and ended is dropped where that is wanted`, async () => {
    await using stage = await Stage.set(kind, { abortOnClose: true });
    const client = await suspendedClient(stage, QUIET);
    await client.send("the last one");
    client.finish();
    await eventually(() => stage.events.reasons.length === 1);
    assert.deepEqual(stage.events.reasons, ["client_left"]);
    await stage.relay.open();
    await pause(20);
    assert.equal(stage.service.accepted, 1);
  });

  for (const abortOnClose of [false, true]) {
    const served = abortOnClose ? "nobody" : "only who has said something";
    Deno.test(`${kind}: of those who gave up before they were served, ${served} is served (abortOnClose ${abortOnClose})`, async () => {
      await using stage = await Stage.set(kind, { holding: true, abortOnClose });
      const says = (word: string) => async (client: Peer) => {
        await client.send(word);
        client.finish();
      };
      const ways = [
        (client: Peer) => client.finish(),
        says("ended"),
        (client: Peer) => client.reset(),
        says("ended"),
        (client: Peer) => client.socket.destroy(),
      ];
      for (const way of ways) await way(await stage.client());
      const stays = await stage.client();
      await stays.send("stays");
      await pause(20);
      await stage.relay.open();
      const expected = abortOnClose ? ["stays"] : ["ended", "ended", "stays"];
      const said: string[] = [];
      while (said.length < expected.length) said.push(await (await stage.service.next()).read(5));
      assert.deepEqual(said.toSorted(), expected);
      await pause(20);
      assert.equal(stage.service.accepted, expected.length);
    });
  }

  Deno.test(`${kind}: a client on whose connection nobody spoke becomes queued, and is connected at once when it opens`, async () => {
    await using stage = await Stage.set(kind);
    const { client, server } = await stage.pair();
    await stage.relay.hold(suspend(QUIET));
    await eventually(() => stage.relay.queued === 1 && stage.relay.active === 0);
    assert.equal(await server.ending, "end");
    assert.equal(stage.relay.suspended, 0);
    assert.deepEqual(stage.held().map(({ state }) => state), ["queued"]);
    await stage.relay.open();
    const next = await stage.service.next();
    await next.send("220 ready");
    assert.equal(await client.read(9), "220 ready");
    assert.equal(stage.relay.active, 1);
    assert.deepEqual(stage.events.reasons, []);
  });

  Deno.test(`${kind}: held clients come in order, and no more at once than may be on their way`, async () => {
    await using stage = await Stage.set(kind, { holding: true, maxConnecting: 2 });
    const clients: Peer[] = [];
    for (let count = 0; count < 10; count++) {
      const client = await stage.client();
      await client.send(`${count}`);
      clients.push(client);
    }
    await pause(20);
    const opened = performance.now();
    await stage.relay.open();
    const said: string[] = [];
    const servers: Peer[] = [];
    // Nobody is answered at first: each pair counts for a while.
    while (said.length < 6) {
      const server = await stage.service.next();
      const ways = Math.floor(said.length / 2);
      const passed = performance.now() - opened;
      assert(passed >= ways * LONGEST_WAY - 1, `${said.length} others after ${passed} ms`);
      said.push(await server.read(1));
      servers.push(server);
    }
    // Who is answered makes room at once.
    while (said.length < clients.length) {
      for (const server of servers.splice(0)) await server.send("!");
      const server = await stage.service.next();
      said.push(await server.read(1));
      servers.push(server);
    }
    // Several threads each keep the order, but not among them.
    const order = stage.relay.threads > 1 ? said.toSorted() : said;
    assert.deepEqual(order, [...clients.keys()].map(String));
  });

  Deno.test(`${kind}: newcomers come after all who were held, and those on their way can be held again`, async () => {
    await using stage = await Stage.set(kind, { holding: true, maxConnecting: 1 });
    for (const name of ["0", "1", "2"]) await (await stage.client()).send(name);
    await pause(20);
    await stage.relay.open();
    const first = await stage.service.next();
    const said = [await first.read(1)];
    await (await stage.client()).send("n");
    await stage.relay.hold();
    await pause(LONGEST_WAY + 50);
    const accepted = stage.service.accepted;
    assert(accepted <= stage.relay.threads, `${accepted} were served`);
    await stage.relay.open();
    while (said.length < 4) said.push(await (await stage.service.next()).read(1));
    assert.deepEqual(stage.relay.threads > 1 ? said.toSorted() : said, ["0", "1", "2", "n"]);
  });

  Deno.test(`${kind}: a stop while it is open ends those who are suspended in peace, one while it holds resets them`, async () => {
    for (const holding of [false, true]) {
      await using stage = await Stage.set(kind);
      const client = await suspendedClient(stage, QUIET);
      if (!holding) await stage.relay.open();
      await stage.relay.stopListening();
      assert.equal(await client.ending, holding ? "reset" : "end");
      await eventually(() => stage.relay.suspended === 0);
      assert.deepEqual(stage.events.reasons, ["stopped"]);
    }
  });

  Deno.test(`${kind}: a suspended client does not count towards how many may be active`, async () => {
    await using next = await Service.start();
    await using stage = await Stage.set(kind, { maxConnections: 1 });
    const client = await suspendedClient(stage, QUIET);
    stage.relay.retarget(next.address);
    await stage.relay.open();
    const other = await stage.client();
    await other.send("other");
    const busy = await next.next();
    assert.equal(await busy.read(5), "other");
    await client.send("me");
    await pause(20);
    assert.equal(next.accepted, 1);
    other.finish();
    busy.finish();
    assert.equal(await (await next.next()).read(2), "me");
  });
}
