/**
 * What the portable relay may do, since Deno's `node:net` leaves it no choice, and no other relay.
 *
 * @module
 */

import type { Kind } from "../relay/relays.ts";
import type { Operator } from "./operator.ts";
import type { Pair } from "./pair.ts";
import type { Round } from "./round.ts";

/**
 * It may reset a peer that ended its direction without ever having sent a byte, if that reads too
 * slowly (see lib/relay/portable/exchange.ts).
 */
export function mayReset(kind: Kind, { client, service }: Pair): boolean {
  return kind === "portable" &&
    [client, service].some((end) => end !== null && end.ended && end.sent === 0);
}

/**
 * It may end a connection to the service that it no longer wants, instead of resetting it, before
 * that has carried a byte: in Deno 2.9.6 `resetAndDestroy` sends an end from when the system has
 * connected the socket until `node:net` tells.
 *
 * @returns how many connections there are in a round to which that may have happened
 */
export function mayEndUnused(kind: Kind, { pairs, silent }: Round): number {
  if (kind !== "portable") return 0;
  return silent.length +
    pairs.filter(({ client, service }) => client === null || service === null).length;
}

/**
 * It may have connected a client to the service, and not have been told so by `node:net`, when it is
 * to hold: that client is held, and connected again.
 *
 * @returns of how many clients in a round that may be true
 */
export function mayConnectAgain(kind: Kind, { held }: Operator): number {
  return kind === "portable" ? held : 0;
}
