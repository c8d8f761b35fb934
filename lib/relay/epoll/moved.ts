/**
 * A relay as it is when it is frozen, to be thawed in another process. Descriptors are those of the
 * process that has it; times are on the clock, which all processes of a machine share.
 *
 * @module
 */

import type { MovedConversation } from "../conversation.ts";
import { NO_COUNTERS } from "../counters.ts";
import type { Endpoints } from "../proxy_protocol.ts";
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

/** How a connection has failed. */
export interface MovedFailure {
  /** Whether it was the client that failed, or the service. */
  readonly isClient: boolean;
  /** Whether all that this side had said has been passed on. */
  readonly isSpent: boolean;
  /** The error of writing to it; 0 if that did not fail. */
  readonly sinkError: number;
}

/**
 * A connection. The addresses of its peers are known to the kernel, which is asked sooner than told.
 *
 * @typeParam Target how the service that it was connected for is called
 */
export interface MovedConnection<Target = string | null> {
  readonly id: number;
  readonly client: number;
  /** -1 for one that is not connected yet. */
  readonly upstream: number;
  readonly acceptedAt: number;
  readonly lastByteAt: number;
  /** Since when it is held, without a connection to the service; `null` if it is not. */
  readonly heldSince: number | null;
  /** Whether it was served before it was held. */
  readonly wasServed: boolean;
  /** The service that it was connected for, `HOST:PORT`; `null` where that is not known. */
  readonly target: Target;
  /**
   * What its header of the PROXY protocol said, `null` for nothing; `undefined` as long as none was
   * taken.
   */
  readonly header?: Endpoints | null | undefined;
  /** Who spoke; `undefined` where nobody kept account of that. */
  readonly talk?: MovedConversation | undefined;
  /** When the first of the two directions ended; `null` if none has. */
  readonly endedAt: number | null;
  readonly bytesUp: number;
  readonly bytesDown: number;
  /** `null` for one that has not ended and has nothing in flight, as most have. */
  readonly up: MovedDirection | null;
  readonly down: MovedDirection | null;
  /** Only of one that has failed, and whose last words have not all arrived. */
  readonly failed?: MovedFailure | undefined;
}

/** A connection as a thread has it, who knows targets by their numbers only. */
export type Arrived = MovedConnection<number>;

/** A connection that has been told before: all but its sockets, which are the same. */
export type Changed<Target = string | null> = Omit<MovedConnection<Target>, "client" | "upstream">;

/** What is told of connections: everything, or what is not as it was told before. */
export interface Told<Target = string | null> {
  /** The ids of those that were told before, and are over, or have other sockets by now. */
  readonly ended: readonly number[];
  readonly connections: readonly MovedConnection<Target>[];
  readonly changed: readonly Changed<Target>[];
}

/** Nothing. */
export const NOTHING_TOLD: Told<never> = { ended: [], connections: [], changed: [] };

/** The same, with other names for the services. */
export function renamed<From, To>(told: Told<From>, nameOf: (target: From) => To): Told<To> {
  const { ended, connections, changed } = told;
  return {
    ended,
    connections: connections.map((one) => ({ ...one, target: nameOf(one.target) })),
    changed: changed.map((one) => ({ ...one, target: nameOf(one.target) })),
  };
}

/** What a relay begins with before it knows of any connection. */
export interface Foundation {
  /** The listening sockets, at least one. */
  readonly listeners: readonly number[];
  /** Whether another process, that started this one, has the listening sockets as well. */
  readonly isInherited: boolean;
  /** How many connections there are, about: more may come before the last is told. */
  readonly expected: number;
}

/** A relay. What was told of its connections before it was frozen goes with what is told here. */
export interface MovedRelay extends Foundation, Told {
  /** The last id that was given to a connection. */
  readonly lastId: number;
  readonly counters: Counters;
  /** When those who are held came to the queue. */
  readonly arrivals: readonly number[];
}

/** What a relay begins with that goes on with nothing, but for its listening sockets. */
export const NOTHING_MOVED: Omit<MovedRelay, "listeners" | "isInherited"> = {
  counters: NO_COUNTERS,
  arrivals: [],
  lastId: 0,
  expected: 0,
  ...NOTHING_TOLD,
};
