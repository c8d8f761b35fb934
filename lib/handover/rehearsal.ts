import type { MovedConnection } from "../relay/epoll/moved.ts";
import { parseGiverMessage } from "./messages.ts";
import { pack, unpack } from "./packing.ts";

/** How many connections are made up: enough for the compiler to take notice. */
const CONNECTIONS = 500;
const TIMES = 3;

/** How long that may take, in milliseconds: on a machine that is slow, the other process waits. */
const LONGEST = 1000;

/**
 * Goes through what takes the time of a handover, before anybody waits for it: code that has never
 * run is several times slower.
 */
export function rehearse(): void {
  const connection: MovedConnection = {
    id: 1,
    client: 0,
    upstream: 1,
    acceptedAt: 0.5,
    lastByteAt: 0.5,
    heldSince: null,
    wasServed: false,
    target: "127.0.0.1:80",
    talk: { turn: 0, longestUnasked: 0.5, tie: null, first: 0, known: 0 },
    endedAt: null,
    bytesUp: 0,
    bytesDown: 0,
    up: null,
    down: { ended: true, done: true, kept: null, pipe: null },
  };
  const all = Array.from({ length: CONNECTIONS }, () => connection);
  const deadline = performance.now() + LONGEST;
  for (let time = 0; time < TIMES; time++) {
    for (const { connections, descriptors } of pack(all)) {
      if (performance.now() > deadline) return;
      const text = JSON.stringify({ type: "connections", connections });
      const message = parseGiverMessage(JSON.parse(text));
      if (message.type === "connections") unpack({ connections: message.connections, descriptors });
    }
  }
}
