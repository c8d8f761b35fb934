import assert from "node:assert/strict";
import { exchange, suspend } from "../letting_go.ts";
import { quickEnough } from "../quick_enough.ts";
import type { Kind } from "../relays.ts";
import { Stage } from "../stage.ts";
import { eventually } from "../waiting.ts";

/** Clients who go on asking while they are answered are not kept waiting for as long as it holds. */
export function testOverlapping(kind: Kind): void {
  Deno.test(`${kind}: while it suspends, a service that hears no more before its answer is read goes on`, () =>
    quickEnough(async (quiet, talker) => {
      await using stage = await Stage.set(kind);
      const { client, server } = await stage.pair();
      await exchange(client, server, "one");
      await stage.relay.hold(suspend(quiet));
      // More than all sockets on the way take.
      const size = 32 << 20;
      server.socket.pipe(server.socket);
      talker.begins();
      // Both are in this process, and pause when it has no time.
      const beat = setInterval(() => talker.notes(), 5);
      try {
        const sent = client.send(new Uint8Array(size)).catch(() => {});
        await eventually(() => client.received === 3 + size || talker.isTooSlow);
        talker.speaks();
        await sent;
      } finally {
        clearInterval(beat);
      }
      await eventually(() => stage.relay.suspended === 1, "a suspended client");
      assert.equal(client.received, 3 + size);
      assert.equal(stage.service.accepted, 1);
    }));

  Deno.test(`${kind}: while it suspends, who asks on and on without an answer gets its answers all the same`, () =>
    quickEnough(async (quiet, talker) => {
      await using stage = await Stage.set(kind);
      const { client, server } = await stage.pair();
      await exchange(client, server, "one");
      await stage.relay.hold(suspend(quiet));
      server.socket.pipe(server.socket);
      talker.begins();
      let asked = 3;
      const ask = async () => {
        asked++;
        await client.send("x");
        await talker.pauses();
      };
      while (client.received === 3 && asked < 1000) await ask();
      await eventually(() => client.received === asked);
      // From then on as always, long before they would be passed on if they were kept back once more.
      const before = asked;
      while (client.received < before + 10 && asked < before + 60) await ask();
      assert.ok(client.received >= before + 10, `${asked - client.received} answers are missing`);
      assert.equal(stage.relay.suspended, 0);
      await eventually(() => stage.relay.suspended === 1, "a suspended client");
      assert.equal(client.received, asked);
      assert.equal(stage.service.accepted, 1);
    }));

  Deno.test(`${kind}: no answer is kept back where only who is silent for over 10 s is suspended`, async () => {
    await using stage = await Stage.set(kind);
    const { client, server } = await stage.pair();
    for (const hold of [() => {}, () => stage.relay.hold(suspend(10_000))]) {
      await hold();
      await client.send("ask");
      assert.equal(await server.read(3), "ask");
      await server.send("yes");
      await stage.relay.hold(suspend(1e6));
      assert.equal(await client.read(3), "yes");
      await exchange(client, server, "and on");
    }
  });
}
