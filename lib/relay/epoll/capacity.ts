import { raiseDescriptorLimit } from "../../linux/resource_limit.ts";

/** The most connections if nobody says otherwise. */
const DEFAULT_MOST = 65_536;

/** The most pipes a thread has: of 1 MiB each, as many as users other than root are granted. */
const MOST_PIPES = 64;

/** Descriptors for the rest of the process: control connections, files, event loops. */
const RESERVED = 96;

/** What there are descriptors for. */
export interface Capacity {
  readonly connections: number;
  /** For each thread. */
  readonly pipes: number;
}

/**
 * Raises the limit for descriptors as far as needed and allowed, and says what there is room for.
 *
 * @param wanted how many connections; `null` as many as can be had
 */
export function capacity(wanted: number | null, threads: number): Capacity {
  const most = wanted ?? DEFAULT_MOST;
  const needed = RESERVED + 2 * most + 2 * MOST_PIPES * threads;
  const limit = raiseDescriptorLimit(needed);
  if (limit >= needed) return { connections: most, pipes: MOST_PIPES };
  // Where there are few, a sixteenth is for pipes, and most are for connections.
  const pipes = Math.min(MOST_PIPES, Math.max(1, Math.floor(limit / 32 / threads)));
  const reserved = Math.min(RESERVED, Math.floor(limit / 2)) + 2 * pipes * threads;
  const room = Math.max(1, Math.floor((limit - reserved) / 2));
  return { connections: Math.min(most, room), pipes };
}
