/**
 * Whether what another process offers is what this one wants: its listening sockets.
 *
 * @module
 */

import { lookup } from "node:dns/promises";
import { type Address, formatAddress, type ListenAddress, parseAddress } from "../address.ts";
import { Failure } from "../failure.ts";
import type { Offer } from "../handover/receiver.ts";
import { cookieOf } from "../linux/socket.ts";
import { whereItListens } from "../relay/epoll/listeners.ts";
import type { Listening } from "../relay/unusable.ts";
import { PassedOnSockets } from "./passed_on.ts";

/** A listening socket that a service manager has passed to this process. */
export interface OwnSocket {
  readonly descriptor: number;
  readonly cookie: string;
}

/** The sockets that are offered. */
export function offeredSockets({ listen, cookie, more }: Offer): Offer["more"] {
  return [{ listen, cookie }, ...more];
}

/** Where the sockets that are offered listen. */
export function offeredAddresses(offer: Offer, { host }: ListenAddress): Listening[] {
  return offeredSockets(offer)
    .map(({ listen }) => ({ ...parseAddress(listen), bothFamilies: host === null }));
}

/**
 * The listening sockets that a service manager has passed to this process as well; none if it has
 * passed on nothing.
 *
 * @throws {Failure} when it has passed on nothing that is wanted
 */
export function ownSockets({ port }: ListenAddress): OwnSocket[] {
  const sockets = new PassedOnSockets(port);
  const own = sockets.descriptors
    .filter((descriptor) => sockets.isWanted(descriptor, whereItListens(descriptor)));
  if (sockets.isThere && own.length === 0) throw sockets.failure;
  return own.map((descriptor) => ({ descriptor, cookie: cookieOf(descriptor) }));
}

/** @throws {Failure} when what is offered is not what is wanted */
export async function checkSockets(
  offer: Offer,
  wanted: ListenAddress,
  own: readonly OwnSocket[],
): Promise<void> {
  const { kind, pid, isInherited } = offer;
  const sockets = offeredSockets(offer);
  const where = sockets.map(({ listen }) => listen).join(", ");
  // Of what a service manager passes on, the command line names the port.
  const onlyPort = isInherited || own.length > 0;
  for (const { listen } of sockets) {
    if (await isSame(parseAddress(listen), wanted, onlyPort)) continue;
    throw new Failure(
      `The ${kind} with process ${pid} and this runtime directory listens on ${where}, not on ` +
        `${formatAddress(wanted)}: stop it first, or choose another --runtime-dir`,
    );
  }
  const isOwn = (cookie: string) => own.some((one) => one.cookie === cookie);
  if (own.length === 0 || sockets.every(({ cookie }) => isOwn(cookie))) return;
  throw new Failure(
    `What the service manager passed on is not the socket that the ${kind} with process ${pid} ` +
      `listens on, which is ${where}: stop that ${kind} first`,
  );
}

async function isSame(there: Address, wanted: ListenAddress, onlyPort: boolean): Promise<boolean> {
  if (wanted.port !== 0 && wanted.port !== there.port) return false;
  if (onlyPort) return true;
  if (wanted.host === null) return there.host === "::" || there.host === "0.0.0.0";
  const { address } = await lookup(wanted.host).catch(() => ({ address: wanted.host }));
  return address === there.host;
}
