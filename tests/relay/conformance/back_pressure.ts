import assert from "node:assert/strict";
import { brieflyOr } from "../../support/long.ts";
import { LINUX } from "../machine.ts";
import { Peer, Service } from "../peer.ts";
import { RelayInProcess } from "../relay_in_process.ts";
import type { Kind } from "../relays.ts";
import { Stage } from "../stage.ts";
import { pause, steady } from "../waiting.ts";

const PIECE = new Uint8Array(256 << 10);

/** What the kernel may keep for the four sockets of a connection, and the relay on top, in bytes. */
const KEPT = 2 * (mostKept("tcp_rmem", 8 << 20) + mostKept("tcp_wmem", 8 << 20)) + (1 << 20);

/** How much the memory of a relay may grow under load, in MiB. */
const GROWTH = 64;

/** How long slow ones are watched, in tenths of a second. */
const WATCHED = brieflyOr(6, 30);

/** How much is sent in bulk: a multiple of what the memory may grow. */
const BULK = brieflyOr(128, 512) << 20;

/** A relay takes no more than it can pass on. */
export function testBackPressure(kind: Kind): void {
  for (const one of ["client", "server"] as const) {
    Deno.test(`${kind}: when the other side does not read, the ${one} can only send so much`, async () => {
      await using stage = await Stage.set(kind);
      const pair = await stage.pair();
      pair[one === "client" ? "server" : "client"].socket.pause();
      let sent = 0;
      void flood(pair[one], () => sent += PIECE.length);
      const blocked = await steady(() => sent, 300);
      assert(blocked < KEPT, `${blocked} bytes were taken`);
    });
  }

  Deno.test({
    name: `${kind}: slow readers and writers do not make its memory grow`,
    ignore: !LINUX,
    fn: async () => {
      await using service = await Service.start();
      await using relay = await RelayInProcess.start(kind, service.address);
      const pairs = [];
      for (let count = 0; count < 8; count++) {
        const client = await Peer.connect(relay.listen);
        pairs.push({ client, server: await service.next() });
      }
      const before = relay.memory;
      for (const [index, { client, server }] of pairs.entries()) {
        const [from, to] = index % 2 === 0 ? [client, server] : [server, client];
        void flood(from);
        void readSlowly(to.socket);
      }
      let most = 0;
      for (let count = 0; count < WATCHED; count++) {
        await pause(100);
        most = Math.max(most, relay.memory);
      }
      for (const { client } of pairs) client.reset();
      assert(most - before < GROWTH, `${before} MiB became ${most} MiB`);
    },
  });

  Deno.test({
    name: `${kind}: a bulk transfer at full speed does not make its memory grow`,
    ignore: !LINUX,
    fn: async () => {
      await using service = await Service.start();
      await using relay = await RelayInProcess.start(kind, service.address);
      using client = await Peer.connect(relay.listen);
      const server = await service.next();
      const before = relay.memory;
      void flood(server);
      let most = 0;
      while (client.received < BULK) {
        await pause(20);
        most = Math.max(most, relay.memory);
      }
      assert(most - before < GROWTH, `${before} MiB became ${most} MiB`);
    },
  });
}

/** The most that the kernel keeps for one side of a socket, the last of three figures (tcp(7)). */
function mostKept(name: "tcp_rmem" | "tcp_wmem", elsewhere: number): number {
  if (!LINUX) return elsewhere;
  const figures = Deno.readTextFileSync(`/proc/sys/net/ipv4/${name}`);
  return Number(figures.trim().split(/\s+/).at(-1));
}

/** Sends for as long as it can. */
async function flood(peer: Peer, sent = () => {}): Promise<void> {
  try {
    for (;;) {
      await peer.send(PIECE);
      sent();
    }
  } catch { /* the test is over */ }
}

/** Reads a little now and then. */
async function readSlowly(socket: Peer["socket"]): Promise<void> {
  while (!socket.destroyed) {
    socket.pause();
    await pause(50);
    socket.resume();
    await new Promise((resolve) => socket.once("data", resolve).once("close", resolve));
  }
}
