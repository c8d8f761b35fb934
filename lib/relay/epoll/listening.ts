/**
 * How a relay comes by its listening sockets.
 *
 * @module
 */

import { lookup } from "node:dns/promises";
import { EADDRNOTAVAIL, EAFNOSUPPORT, SystemError } from "../../linux/errno.ts";
import { adopt, listen } from "../../linux/socket.ts";
import type { ListenAt, PassedOn } from "../relay.ts";
import { whereItListens } from "./listeners.ts";

/** What the kernel may queue; it takes less if net.core.somaxconn says so (listen(2)). */
const BACKLOG = 4096;

/** Listening sockets, by their descriptors. */
export interface Opened {
  readonly listeners: readonly number[];
  /** Whether another process, that started this one, has them as well. */
  readonly isInherited: boolean;
}

/**
 * Listens, or takes the sockets that listen already, as far as they are wanted.
 *
 * @throws {Error} when the address cannot be had, or none of the sockets is wanted
 */
export async function openListeners(at: ListenAt): Promise<Opened> {
  const isInherited = "descriptors" in at;
  return { listeners: isInherited ? inherited(at) : [await listenAt(at)], isInherited };
}

function inherited({ descriptors, isWanted }: PassedOn): number[] {
  const wanted = descriptors.filter((descriptor) => {
    const at = whereItListens(descriptor);
    return isWanted(descriptor, at) && !(at instanceof Error);
  });
  for (const descriptor of wanted) adopt(descriptor);
  if (wanted.length === 0) throw new Error("no socket that was passed on can be used");
  return wanted;
}

async function listenAt({ host, port }: Exclude<ListenAt, PassedOn>): Promise<number> {
  if (host !== null) {
    const { address } = await lookup(host);
    return listen({ host: address, port }, false, BACKLOG);
  }
  try {
    return listen({ host: "::", port }, true, BACKLOG);
  } catch (error) {
    // A system without IPv6.
    const lacking = [EAFNOSUPPORT, EADDRNOTAVAIL];
    if (!(error instanceof SystemError) || !lacking.includes(error.number)) throw error;
    return listen({ host: "0.0.0.0", port }, false, BACKLOG);
  }
}
