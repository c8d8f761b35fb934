import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import type { Peer } from "../peer.ts";
import type { Kind } from "../relays.ts";
import { Stage } from "../stage.ts";
import { pause, steady, within } from "../waiting.ts";

type Side = "client" | "server";
const SIDES: [Side, Side][] = [["client", "server"], ["server", "client"]];

/** An end is forwarded as an end, a reset as a reset. */
export function testEndings(kind: Kind): void {
  for (const [one, other] of SIDES) {
    Deno.test(`${kind}: the end of the ${one} is forwarded, and the ${other} goes on`, async () => {
      await using stage = await Stage.set(kind);
      const pair = await stage.pair();
      await pair[one].send("all I have");
      pair[one].finish();
      assert.equal(await pair[other].rest(), "all I have");
      await pair[other].send("and now me");
      assert.equal(await pair[one].read(10), "and now me");
      assert.equal(
        stage.connections()[0]?.state,
        one === "client" ? "client-ended" : "service-ended",
      );
      const size = 4 << 20;
      await pair[other].send(randomBytes(size));
      pair[other].finish();
      assert.equal(await pair[one].ending, "end");
      assert.equal(pair[one].received, 10 + size);
      await stage.over();
      assert.deepEqual(stage.events.reasons, ["finished"]);
    });

    Deno.test(`${kind}: a reset by the ${one} is forwarded: idle`, async () => {
      await using stage = await Stage.set(kind);
      const pair = await stage.pair();
      await pair[one].send("hello");
      await pair[other].read(5);
      await resetIsForwarded(stage, pair, one, other);
    });

    Deno.test(`${kind}: a reset by the ${one} is forwarded: bytes on their way both ways`, async () => {
      await using stage = await Stage.set(kind);
      const pair = await stage.pair();
      const piece = randomBytes(256 << 10);
      const flood = async (peer: Peer) => {
        for (;;) await peer.send(piece);
      };
      flood(pair.client).catch(() => {});
      flood(pair.server).catch(() => {});
      while (pair.client.received < 4 << 20 || pair.server.received < 4 << 20) await pause(1);
      await resetIsForwarded(stage, pair, one, other);
    });

    Deno.test(`${kind}: a reset by the ${one} is forwarded: after its own end`, async () => {
      await using stage = await Stage.set(kind);
      const pair = await stage.pair();
      await pair[one].send("hello");
      pair[one].finish();
      assert.equal(await pair[other].rest(), "hello");
      pair[one].reset();
      // It heard the end already; that it was cut shows when it writes.
      await stage.over();
      assert.deepEqual(stage.events.reasons, [`${one === "client" ? "client" : "upstream"}_reset`]);
      await assert.rejects(async () => {
        for (;;) {
          await pair[other].send("anyone there?");
          await pause(1);
        }
      });
    });

    Deno.test(`${kind}: a reset by the ${one} is forwarded: after the end of the ${other}`, async () => {
      await using stage = await Stage.set(kind);
      const pair = await stage.pair();
      await pair[other].send("hello");
      pair[other].finish();
      assert.equal(await pair[one].rest(), "hello");
      await resetIsForwarded(stage, pair, one, other);
    });

    Deno.test(`${kind}: a reset by the ${one} is forwarded: the ${other} does not read`, async () => {
      await using stage = await Stage.set(kind);
      const pair = await stage.pair();
      pair[other].socket.pause();
      pair[one].send(randomBytes(64 << 20)).catch(() => {});

      await steady(() => stage.relay.counters.bytesUp + stage.relay.counters.bytesDown, 100);
      const { bytesUp, bytesDown } = stage.relay.counters;
      assert(bytesUp + bytesDown < 64 << 20);
      pair[one].reset();
      await stage.over();
      pair[other].socket.resume();
      assert.equal(await pair[other].ending, "reset");
    });

    Deno.test(`${kind}: all that the ${one} sent before its clean end arrives, however slowly the ${other} reads`, async () => {
      await using stage = await Stage.set(kind);
      const pair = await stage.pair();
      const size = 16 << 20;
      await pair[other].send("go");
      await pair[one].read(2);
      pair[other].socket.pause();
      const sent = pair[one].send(randomBytes(size));
      pair[one].finish();
      pair[other].finish();
      await steady(() => stage.relay.counters.bytesUp + stage.relay.counters.bytesDown, 50);
      pair[other].socket.resume();
      await sent;
      assert.equal(await pair[other].ending, "end");
      assert.equal(pair[other].received, size);
      await stage.over();
      assert.deepEqual(stage.events.reasons, ["finished"]);
    });
  }

  for (const [one, other] of SIDES) {
    Deno.test(`${kind}: what the ${one} sent before its end, which came last, waits for a ${other} that does not read`, async () => {
      await using stage = await Stage.set(kind, { halfCloseTimeout: 20_000 });
      const pair = await stage.pair();
      await pair[other].send("go");
      await pair[one].read(2);
      pair[other].finish();
      assert.equal(await pair[one].ending, "end");
      pair[other].socket.pause();
      const taken = () => stage.relay.counters.bytesUp + stage.relay.counters.bytesDown - 2;
      const piece = randomBytes(32 << 10);
      let sent = 0;
      // Until a piece stays in the kernel, and with it the end.
      for (let stuck = false; !stuck; stuck = taken() < sent) {
        await pair[one].send(piece);
        sent += piece.length;
        for (let turns = 0; turns < 50 && taken() < sent; turns++) await pause(1);
      }
      pair[one].finish();
      await pause(700);
      pair[other].socket.resume();
      assert.equal(await pair[other].ending, "end");
      assert.equal(pair[other].received, sent);
      await stage.over();
      assert.deepEqual(stage.events.reasons, ["finished"]);
    });
  }

  for (const one of ["client", "service"]) {
    // What node:net of Deno cannot do (see lib/relay/portable/exchange.ts) is at least not hidden.
    const outcome = kind === "portable" ? "is reset if it reads too slowly" : "gets everything";
    Deno.test(`${kind}: a ${one} that never says more than its end ${outcome}`, async () => {
      // Deno's own sockets at the ends, since those of node:net fail at just this.
      using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
      const upstream = { host: "127.0.0.1", port: listener.addr.port };
      await using stage = await Stage.set(kind, { upstream });
      const { port } = stage.relay.listen;
      using client = await Deno.connect({ hostname: "127.0.0.1", port });
      using server = await listener.accept();
      const [silent, talker] = one === "client" ? [client, server] : [server, client];
      const size = 16 << 20;
      await silent.closeWrite();
      assert.equal(await talker.read(new Uint8Array(1)), null);
      const talk = async () => {
        const data = new Uint8Array(size);
        for (let sent = 0; sent < size;) sent += await talker.write(data.subarray(sent));
        await talker.closeWrite();
      };
      const listen = async () => {
        await steady(() => stage.relay.counters.bytesUp + stage.relay.counters.bytesDown, 50);
        let received = 0;
        for (const piece = new Uint8Array(1 << 20);;) {
          const count = await silent.read(piece);
          if (count === null) return received;
          received += count;
        }
      };
      const [talked, heard] = await Promise.allSettled([talk(), listen()]);
      if (kind === "portable") {
        assert.deepEqual([talked.status, heard.status], ["rejected", "rejected"]);
      } else {
        assert.deepEqual(heard, { status: "fulfilled", value: size });
      }
    });
  }
}

async function resetIsForwarded(
  stage: Stage,
  pair: Record<Side, Peer>,
  one: Side,
  other: Side,
): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<string>();
  pair[other].socket.once("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? ""));
  pair[one].reset();
  assert.match(await within(promise, "a reset"), /ECONNRESET|EPIPE/);
  await stage.over();
  assert.deepEqual(stage.events.reasons, [`${one === "client" ? "client" : "upstream"}_reset`]);
}
