import { raiseDescriptorLimit } from "../../linux/resource_limit.ts";

/** The most connections if nobody says otherwise. */
const DEFAULT_MOST = 65_536;

/** The most pipes a thread has: of 1 MiB each, as many as users other than root are granted. */
const MOST_PIPES = 64;

/** For how many clients that are held there are descriptors besides, if they can be had. */
const MOST_HELD = 65_536;

/** Descriptors for the rest of the process: some 40 from the start, 64 control connections, files. */
const RESERVED = 128;

/** How many sockets are left for those who are held to be connected with, once that may be. */
export function reservedToConnect(descriptors: number, maxConnecting: number): number {
  return Math.min(maxConnecting, descriptors >> 2);
}

/** How many clients can be held, so many of them in the kernel's queue; `null` if that is 0. */
export function heldAtMost(
  queue: number,
  descriptors: number,
  maxConnecting: number,
): number | null {
  return queue === 0 ? null : queue + descriptors - reservedToConnect(descriptors, maxConnecting);
}

/** What there are descriptors for. */
export interface Capacity {
  readonly connections: number;
  /** For each thread. */
  readonly pipes: number;
  /** How many sockets of clients and services there may be: two of an active one, one of a held one. */
  readonly descriptors: number;
}

/**
 * Raises the limit for descriptors as far as needed and allowed, and says what there is room for.
 *
 * @param wanted how many connections; `null` as many as can be had
 */
export function capacity(wanted: number | null, threads: number): Capacity {
  const most = wanted ?? DEFAULT_MOST;
  const others = RESERVED + 2 * MOST_PIPES * threads;
  const needed = others + 2 * most;
  const limit = raiseDescriptorLimit(needed + MOST_HELD);
  if (limit >= needed) {
    const descriptors = Math.min(limit - others, 2 * most + MOST_HELD);
    return { connections: most, pipes: MOST_PIPES, descriptors };
  }
  // Where there are few, a sixteenth is for pipes, and most are for connections.
  const pipes = Math.min(MOST_PIPES, Math.max(1, Math.floor(limit / 32 / threads)));
  const reserved = Math.min(RESERVED, Math.floor(limit / 2)) + 2 * pipes * threads;
  const room = Math.max(1, Math.floor((limit - reserved) / 2));
  const descriptors = Math.max(2, limit - reserved);
  return { connections: Math.min(most, room), pipes, descriptors };
}
