import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { hasPeer, IPPROTO_TCP, listen, localAddress } from "../../../lib/linux/socket.ts";
import { SO_KEEPALIVE, SOL_SOCKET, TCP_KEEPIDLE } from "../../../lib/linux/socket.ts";
import { optionOf } from "../../linux/sockets.ts";
import { passedOn } from "../plain.ts";
import { Stage } from "../stage.ts";
import { eventually } from "../waiting.ts";
import { EPOLL_KINDS } from "./kinds.ts";

const CLIENTS = 64;

type Socket = Parameters<typeof optionOf>[0];

for (const kind of EPOLL_KINDS) {
  // Probes of thousands at once do not fit into the queue of a network device, and who loses four is
  // taken for gone.
  Deno.test(`${kind}: clients that are held together are not probed together, nor those in the queue at all`, async () => {
    const descriptor = listen({ host: "127.0.0.1", port: 0 }, false, 32);
    await using stage = await Stage.set(kind, {
      listen: passedOn(descriptor),
      holding: true,
      keepAlive: 60_000,
    });
    for (let count = 0; count < CLIENTS; count++) await stage.client();
    const sockets = () => socketsAt(stage.relay.listen.port);
    const isWatched = (socket: Socket) => optionOf(socket, SOL_SOCKET, SO_KEEPALIVE) === 1;
    await eventually(() => sockets().length > CLIENTS / 2 && sockets().every(isWatched));
    const idle = sockets().map((socket) => optionOf(socket, IPPROTO_TCP, TCP_KEEPIDLE));
    assert(Math.min(...idle) >= 60 && Math.max(...idle) <= 90, `${idle}`);
    assert(new Set(idle).size > 5, `${idle}`);
    assert.equal(optionOf({ number: descriptor }, SOL_SOCKET, SO_KEEPALIVE), 0);
  });
}

/** The sockets of this process whose own port this is, and that are connected. */
function socketsAt(port: number): Socket[] {
  return readdirSync("/proc/self/fd").map((name) => ({ number: Number(name) })).filter(
    ({ number }) => {
      try {
        return localAddress(number).port === port && hasPeer(number);
      } catch {
        return false;
      }
    },
  );
}
