import assert from "node:assert/strict";
import { limited } from "../../linux/limited.ts";
import { LINUX } from "../machine.ts";
import { echo, Peer } from "../peer.ts";
import { type Numbers, RelayInProcess } from "../relay_in_process.ts";
import type { Kind } from "../relays.ts";
import { Stage } from "../stage.ts";
import { eventually, pause } from "../waiting.ts";

/** How a relay comes to its end. */
export function testStopping(kind: Kind): void {
  Deno.test(`${kind}: when it stops listening while open, those queued are served, later ones refused`, async () => {
    await using stage = await Stage.set(kind);
    const { client, server } = await stage.pair();
    // Not one turn of the event loop between these clients and the end of listening.
    const queued = await Promise.all(Array.from({ length: 20 }, () => stage.client()));
    for (const late of queued) await late.send("me too");
    assert.equal(await stage.relay.stopListening(), 0);
    for (let count = 0; count < queued.length; count++) {
      const other = await stage.service.next();
      assert.equal(await other.read(6), "me too");
      await other.send("you too");
    }
    for (const late of queued) assert.equal(await late.read(7), "you too");
    await assert.rejects(stage.client(), { code: "ECONNREFUSED" });
    await client.send("still here");
    assert.equal(await server.read(10), "still here");
  });

  Deno.test(`${kind}: when it stops listening while open, those who wait for room are served`, async () => {
    await using stage = await Stage.set(kind, { maxConnections: 1 });
    const { client } = await stage.pair();
    const waiting = await stage.client();
    await waiting.send("hello");
    assert.equal(await stage.relay.stopListening(), 0);
    await assert.rejects(stage.client(), { code: "ECONNREFUSED" });
    client.reset();
    assert.equal(await (await stage.service.next()).read(5), "hello");
  });

  Deno.test(`${kind}: when it stops listening while it holds, those queued are reset and counted`, async () => {
    await using stage = await Stage.set(kind);
    const { client, server } = await stage.pair();
    await stage.relay.hold();
    const queued = await Promise.all(Array.from({ length: 20 }, () => stage.client()));
    assert.equal(await stage.relay.stopListening(), queued.length);
    for (const late of queued) assert.equal(await late.ending, "reset");
    assert.equal(stage.service.accepted, 1);
    await assert.rejects(stage.client(), { code: "ECONNREFUSED" });
    await client.send("still here");
    assert.equal(await server.read(10), "still here");
  });

  for (const holding of [false, true]) {
    const outcome = holding ? "reset and counted while it holds" : "served while it is open";
    Deno.test({
      name: `${kind}: those whom the kernel has queued when it stops listening are ${outcome}`,
      ignore: !LINUX,
      fn: async () => {
        await using service = await echo();
        // More clients than it has room for.
        await using relay = await RelayInProcess.borrow(kind, service.address, limited(300));
        const clients: Peer[] = [];
        if (holding) await relay.ask("hold");
        let answer: Promise<Numbers> | undefined;
        await relay.meanwhile(async () => {
          answer = relay.ask("stop listening");
          while (clients.length < (holding ? 200 : 100)) {
            clients.push(await Peer.connect(relay.listen));
          }
        });
        assert.equal((await answer)?.turnedAway, holding ? clients.length : 0);
        for (const client of clients) {
          if (!holding) await client.send("hello");
          if (holding) assert.equal(await client.ending, "reset");
          else assert.equal(await client.read(5), "hello");
          client[Symbol.dispose]();
        }
        await assert.rejects(Peer.connect(relay.listen), { code: "ECONNREFUSED" });
      },
    });
  }

  Deno.test(`${kind}: once it is shut down, nothing of it keeps the process alive`, async () => {
    await using service = await echo();
    await using relay = await RelayInProcess.start(kind, service.address);
    using client = await Peer.connect(relay.listen);
    await client.send("hello");
    await client.read(5);
    await relay.ask("shut down");
    await relay.ended();
    assert.equal(await client.ending, "reset");
  });

  Deno.test(`${kind}: when it is shut down, everything is reset and nobody is answered`, async () => {
    await using stage = await Stage.set(kind);
    const pairs = [await stage.pair(), await stage.pair()];
    await stage.relay.hold();
    const held = await stage.client();
    if (stage.relay.queued !== null) await eventually(() => stage.relay.queued === 1);
    await stage.relay.shutDown();
    const endings = pairs.flatMap(({ client, server }) => [client.ending, server.ending]);
    assert.deepEqual(new Set(await Promise.all([held.ending, ...endings])), new Set(["reset"]));
    await stage.over();
    assert.deepEqual(stage.events.reasons, ["stopped", "stopped"]);
    await assert.rejects(Peer.connect(stage.relay.listen), { code: "ECONNREFUSED" });
    // Once more does no harm.
    await stage.relay.shutDown();
    await pause(0);
  });
}
