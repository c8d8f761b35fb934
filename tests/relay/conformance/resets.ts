import assert from "node:assert/strict";
import { LINUX } from "../machine.ts";
import { type Peer, Service } from "../peer.ts";
import type { Kind } from "../relays.ts";
import { Stage } from "../stage.ts";
import { swallowingPort } from "../swallowing_port.ts";
import { eventually, steady, within } from "../waiting.ts";

type Side = "client" | "server";
const SIDES: [Side, Side][] = [["client", "server"], ["server", "client"]];

/** More than everything on the way can keep. */
const FLOOD = new Uint8Array(64 << 20);

/** A reset is forwarded at any time, whatever is stuck on the way, and leaves nothing behind. */
export function testResets(kind: Kind): void {
  Deno.test({
    name: `${kind}: a client that is reset while the service does not answer is let go`,
    ignore: !LINUX,
    fn: async () => {
      using hole = await swallowingPort();
      await using stage = await Stage.set(kind, { upstream: hole.address, connectTimeout: null });
      const client = await stage.client();
      await eventually(() => stage.relay.active === 1);
      client.reset();
      await stage.over();
      assert.deepEqual(stage.events.reasons, ["client_reset"]);
    },
  });

  Deno.test(`${kind}: clients that are reset at once are never taken for some that ended in peace`, async () => {
    const servers: Peer[] = [];
    await using service = await Service.start({}, (peer) => servers.push(peer));
    await using stage = await Stage.set(kind, { upstream: service.address });
    const count = 200;
    for (let index = 0; index < count; index++) {
      const client = await stage.client();
      if (index % 2 === 0) await client.send("hello");
      client.reset();
    }
    await eventually(() => stage.relay.counters.accepted === count);
    await stage.over();
    assert.deepEqual(new Set(stage.events.reasons), new Set(["client_reset"]));
    for (const server of servers) {
      const ending = await server.ending;
      // A socket that the system has connected, and node:net does not know of yet, cannot be reset.
      if (kind === "portable" && server.received === 0) continue;
      assert.equal(ending, "reset", `after ${server.received} bytes`);
    }
  });

  Deno.test(`${kind}: the clients of a service that resets whoever says something are reset`, async () => {
    await using service = await Service.start({}, (peer) => {
      peer.socket.once("data", () => peer.reset());
    });
    await using stage = await Stage.set(kind, { upstream: service.address });
    const count = 50;
    for (let index = 0; index < count; index++) {
      const client = await stage.client();
      await client.send("hello");
      assert.equal(await client.ending, "reset");
    }
    await stage.over();
    assert.deepEqual(stage.events.reasons, Array(count).fill("upstream_reset"));
  });

  Deno.test(`${kind}: connections that are reset from both sides at once are over, once`, async () => {
    await using stage = await Stage.set(kind);
    const pairs = [];
    for (let count = 0; count < 50; count++) pairs.push(await stage.pair());
    for (const { client, server } of pairs) {
      client.reset();
      server.reset();
    }
    await stage.over();
    assert.equal(stage.events.closings.length, pairs.length);
    for (const reason of stage.events.reasons) assert.match(reason, /^(client|upstream)_reset$/);
  });

  for (const [reader, writer] of SIDES) {
    for (const halfClosed of [false, true]) {
      const state = halfClosed ? "ended its own direction and does not read" : "does not read";
      Deno.test(`${kind}: a reset by the ${reader}, who ${state}, is forwarded`, async () => {
        await using stage = await Stage.set(kind);
        const pair = await stage.pair();
        const { sent } = await stuck(stage, pair[reader], pair[writer], halfClosed);
        pair[reader].reset();
        assert.equal(await within(sent, "a failure to send"), "failed");
        if (!halfClosed) assert.equal(await pair[writer].ending, "reset");
        await stage.over();
        assert.deepEqual(stage.events.reasons, [reasonOf(reader)]);
      });
    }

    Deno.test(`${kind}: a reset by the ${writer} is forwarded to the ${reader}, who ended its own direction and does not read`, async () => {
      await using stage = await Stage.set(kind);
      const pair = await stage.pair();
      await stuck(stage, pair[reader], pair[writer], true);
      pair[writer].reset();
      // The portable relay looks at a socket again only when there is room for what it says.
      if (kind !== "portable") await stage.over();
      pair[reader].socket.resume();
      assert.equal(await pair[reader].ending, "reset");
      await stage.over();
      assert.deepEqual(stage.events.reasons, [reasonOf(writer)]);
    });
  }

  for (const [one, other] of SIDES) {
    Deno.test(`${kind}: a reset by the ${one} is forwarded while both ways are full`, async () => {
      await using stage = await Stage.set(kind);
      const pair = await stage.pair();
      for (const peer of [pair.client, pair.server]) {
        peer.socket.pause();
        peer.send(FLOOD).catch(() => {});
      }
      await settled(stage);
      pair[one].reset();
      await stage.over();
      assert.deepEqual(stage.events.reasons, [reasonOf(one)]);
      pair[other].socket.resume();
      assert.equal(await pair[other].ending, "reset");
    });
  }
}

/**
 * Fills the way to a reader who does not read.
 *
 * @returns what comes of what was sent
 */
async function stuck(
  stage: Stage,
  reader: Peer,
  writer: Peer,
  halfClosed: boolean,
): Promise<{ sent: Promise<string> }> {
  await reader.send("go");
  await writer.read(2);
  reader.socket.pause();
  if (halfClosed) {
    reader.finish();
    assert.equal(await writer.ending, "end");
  }
  const sent = writer.send(FLOOD).then(() => "all of it", () => "failed");
  await settled(stage);
  return { sent };
}

/** Waits until no more bytes move. */
async function settled(stage: Stage): Promise<void> {
  await steady(() => stage.relay.counters.bytesUp + stage.relay.counters.bytesDown, 100);
}

function reasonOf(side: Side): string {
  return side === "client" ? "client_reset" : "upstream_reset";
}
