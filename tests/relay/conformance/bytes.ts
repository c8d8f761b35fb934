import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { brieflyOr } from "../../support/long.ts";
import { Checksum } from "../checksum.ts";
import { Peer } from "../peer.ts";
import type { Kind } from "../relays.ts";
import { Stage } from "../stage.ts";

const NOISE = randomBytes(1 << 20);

/** How many MiB go each way at once, and how many KiB where there are many connections. */
const BULK = brieflyOr(8, 32);
const EACH = brieflyOr(128, 512);

/** All bytes arrive, once, in order, unchanged. */
export function testBytes(kind: Kind): void {
  Deno.test(`${kind}: ${BULK} MiB each way at once arrive unchanged`, async () => {
    await using stage = await Stage.set(kind);
    const { client, server } = await stage.pair();
    await exchange(client, server, BULK << 20);
    await stage.over();
    assert.equal(stage.relay.counters.bytesUp, BULK << 20);
    assert.equal(stage.relay.counters.bytesDown, BULK << 20);
  });

  Deno.test(`${kind}: on many connections at once, each has its own bytes`, async () => {
    await using stage = await Stage.set(kind);
    const pairs = [];
    for (let count = 0; count < 64; count++) pairs.push(await stage.pair());
    await Promise.all(pairs.map(({ client, server }) => exchange(client, server, EACH << 10)));
    await stage.over();
    assert.deepEqual(new Set(stage.events.reasons), new Set(["finished"]));
  });

  Deno.test(`${kind}: tiny messages go to and fro`, async () => {
    await using stage = await Stage.set(kind);
    const { client, server } = await stage.pair();
    for (let count = 0; count < brieflyOr(300, 1000); count++) {
      await client.send("?");
      assert.equal(await server.read(1), "?");
      await server.send(`${count % 10}!`);
      assert.equal(await client.read(2), `${count % 10}!`);
    }
  });

  Deno.test(`${kind}: a service may speak first`, async () => {
    await using stage = await Stage.set(kind);
    const { client, server } = await stage.pair();
    await server.send("220 ready");
    assert.equal(await client.read(9), "220 ready");
  });
}

/** Sends so many bytes each way at once, then ends both ways, and compares. */
async function exchange(client: Peer, server: Peer, size: number): Promise<void> {
  const [up, down] = await Promise.all([sendNoise(client, size), sendNoise(server, size)]);
  assert.deepEqual(await Promise.all([client.ending, server.ending]), ["end", "end"]);
  assert.deepEqual([server.received, client.received], [size, size]);
  assert.equal(server.checksum, up);
  assert.equal(client.checksum, down);
}

/** Sends noise in pieces of all sizes, then ends. @returns its checksum */
async function sendNoise(peer: Peer, size: number): Promise<number> {
  const checksum = new Checksum();
  for (let sent = 0; sent < size;) {
    // Most pieces are small, some are many times what is read at once.
    const length = Math.min(size - sent, Math.ceil(2 ** (Math.random() * 19)));
    const start = Math.floor(Math.random() * (NOISE.length - length));
    const piece = NOISE.subarray(start, start + length);
    checksum.update(piece);
    await peer.send(piece);
    sent += length;
  }
  peer.finish();
  return checksum.value;
}
