/**
 * A relay as it is when it is frozen, to be thawed in another process. Descriptors are those of the
 * process that has it; times are on the clock, which all processes of a machine share.
 *
 * @module
 */

import type { Counters } from "../relay.ts";

/** One direction of a connection. */
export interface MovedDirection {
  /** Whether the end was read, and whether it has been passed on. */
  readonly ended: boolean;
  readonly done: boolean;
  /** Bytes that were read and not yet written; `null` for none. */
  readonly kept: Uint8Array<ArrayBuffer> | null;
  /** A pipe with so many bytes that were read and not yet written; `null` for none. */
  readonly pipe: {
    readonly reader: number;
    readonly writer: number;
    readonly size: number;
    readonly bytes: number;
  } | null;
}

/** A connection. The addresses of its peers are known to the kernel, which is asked sooner than told. */
export interface MovedConnection {
  readonly id: number;
  readonly client: number;
  /** -1 for one that is not connected yet. */
  readonly upstream: number;
  readonly acceptedAt: number;
  readonly lastByteAt: number;
  /** When the first of the two directions ended; `null` if none has. */
  readonly endedAt: number | null;
  /** Until when it is tried to connect it; `null` if it is connected, or there is no limit. */
  readonly deadline: number | null;
  readonly bytesUp: number;
  readonly bytesDown: number;
  /** `null` for one that has not ended and has nothing in flight, as most have. */
  readonly up: MovedDirection | null;
  readonly down: MovedDirection | null;
}

/** A relay. */
export interface MovedRelay {
  /** The listening socket. */
  readonly listener: number;
  /** Whether another process, that started this one, has the listening socket as well. */
  readonly isInherited: boolean;
  /** The last id that was given to a connection. */
  readonly lastId: number;
  readonly counters: Counters;
  /** When those who are held came to the queue. */
  readonly arrivals: readonly number[];
  readonly connections: readonly MovedConnection[];
}
