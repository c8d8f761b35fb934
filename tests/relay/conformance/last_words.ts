import assert from "node:assert/strict";
import { brieflyOr } from "../../support/long.ts";
import type { Kind } from "../relays.ts";
import { Stage } from "../stage.ts";
import { pause, within } from "../waiting.ts";

type Side = "client" | "server";
const SIDES: [Side, Side][] = [["client", "server"], ["server", "client"]];

const UPLOADS = brieflyOr(12, 40);
const PIECE = new Uint8Array(1 << 20);
const ANSWER = `HTTP/1.1 413 Content Too Large\r\n\r\n${"no ".repeat(1000)}`;

/** What one side has said before it failed reaches the other; the reset comes after it. */
export function testLastWords(kind: Kind): void {
  Deno.test(`${kind}: the answer of a service that closes without having read the request arrives`, async () => {
    // Deno's own sockets at the ends: those of node:net drop what they could still read.
    using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const upstream = { host: "127.0.0.1", port: listener.addr.port };
    await using stage = await Stage.set(kind, { upstream });
    const heard: string[] = [];
    for (let count = 0; count < UPLOADS; count++) {
      const served = refuse(listener);
      heard.push(await upload(stage.relay.listen.port));
      await served;
    }
    assert.deepEqual(heard, Array(UPLOADS).fill(ANSWER));
    await stage.over();
    assert.deepEqual(new Set(stage.events.reasons), new Set(["upstream_reset"]));
  });

  for (const [one, other] of SIDES) {
    Deno.test(`${kind}: what the ${one} said before its reset arrives, however slowly the ${other} reads`, async () => {
      await using stage = await Stage.set(kind);
      const pair = await stage.pair();
      await pair[other].send("go");
      await pair[one].read(2);
      pair[other].socket.pause();
      // More than the other side's system takes, so that some of it is kept or stays unread.
      const taken = () => stage.relay.counters.bytesUp + stage.relay.counters.bytesDown - 2;
      const piece = new Uint8Array(32 << 10).fill(7);
      let sent = 0;
      for (let isStuck = false; !isStuck; isStuck = taken() < sent) {
        await pair[one].send(piece);
        sent += piece.length;
        for (let turns = 0; turns < 50 && taken() < sent; turns++) await pause(1);
      }
      pair[one].reset();
      pair[other].socket.resume();
      assert.equal(await pair[other].ending, "reset");
      assert.equal(pair[other].received, sent);
      await stage.over();
      assert.deepEqual(stage.events.reasons, [`${one === "client" ? "client" : "upstream"}_reset`]);
    });
  }
}

/** Serves one connection: answers once the request has begun, and closes. */
async function refuse(listener: Deno.Listener): Promise<void> {
  using connection = await listener.accept();
  await connection.read(new Uint8Array(1000));
  await connection.write(new TextEncoder().encode(ANSWER));
}

/** Sends a request without an end, until that fails. @returns what is heard meanwhile */
async function upload(port: number): Promise<string> {
  using connection = await Deno.connect({ hostname: "127.0.0.1", port });
  const send = async () => {
    for (;;) await connection.write(PIECE);
  };
  let heard = "";
  const hear = async () => {
    for (const piece = new Uint8Array(1000);;) {
      const count = await connection.read(piece);
      if (count === null) return;
      heard += new TextDecoder().decode(piece.subarray(0, count));
    }
  };
  await within(Promise.allSettled([send(), hear()]), "the end of an answer");
  return heard;
}
