/**
 * What the main thread and the threads that carry bytes tell each other in messages: little, for
 * each costs as much as serving a connection. What is asked for often is in shared memory.
 *
 * @module
 */

import type { CloseReason, Connection, RelayOptions } from "../relay.ts";
import type { Told } from "./moved.ts";

/** What a thread is sent: all that comes before its event loop, which it never leaves. */
export type Order =
  /** Its assignment, the first. */
  | { readonly assignment: Assignment }
  /** Connections of another process, to go on with. */
  | { readonly told: Told<number> }
  /** There are no more; the last id that one of them had. */
  | { readonly begin: number };

/** What a thread is given at its start. Durations are in milliseconds, `Infinity` is no limit. */
export interface Assignment extends Pick<RelayOptions, "acceptProxy" | "sendProxy"> {
  /** Which of the threads it is, from 0, and how many there are. */
  readonly index: number;
  readonly threads: number;
  /** Descriptors: the listening sockets, and the event counter of each thread. */
  readonly listeners: readonly number[];
  readonly wakers: readonly number[];
  readonly shared: SharedArrayBuffer;
  readonly table: SharedArrayBuffer;
  readonly target: SharedArrayBuffer;
  readonly maxConnections: number;
  /** How many descriptors there are for sockets of clients and services, in all threads. */
  readonly descriptors: number;
  /** How many held clients may be on their way to the service at once, of this thread. */
  readonly maxConnecting: number;
  readonly abortOnClose: boolean;
  readonly maxPipes: number;
  readonly connectTimeout: number;
  readonly idleTimeout: number;
  readonly halfCloseTimeout: number;
  readonly keepAlive: number | null;
  readonly userTimeout: number | null;
  /** Whether to tell of each connection. */
  readonly tellEach: boolean;
}

/** Attempts to connect that failed in the same way. */
export interface Failures {
  /** The number of the error; 0 if there was no answer, or no address. */
  readonly error: number;
  count: number;
}

/** What another process is to know of connections, as a thread tells it in one turn. */
export interface Copied {
  /** In which round. */
  readonly round: number;
  readonly told: Told<number>;
  /** Whether that was the last of this round. */
  readonly isLast: boolean;
}

/** What a thread tells, of one turn of its loop. Everything is optional. */
export interface Report {
  /** It waits for its assignment. */
  loaded?: boolean;
  /** It has taken what it was told of connections. */
  taken?: boolean;
  /** It is ready to do something. */
  ready?: boolean;
  /** It has done all that was asked for up to this number. */
  done?: number;
  /** The connections that it was asked to cut if they were idle, as they were. */
  cutIdle?: Connection[];
  noneActive?: boolean;
  opened?: Connection[];
  closed?: { connection: Connection; reason: CloseReason }[];
  failures?: Failures[];
  /** Clients reset because the service could not be reached, by the last error. */
  gaveUp?: Failures[];
  /** Clients reset because of the header that they did not begin with. */
  badHeaders?: { readonly peer: string; readonly why: string }[];
  /** How long clients were held who are served now, in milliseconds. */
  released?: number[];
  /** There is no room: how many were active, and the number of the error, 0 for the limit. */
  full?: { active: number; error: number };
  queueFilling?: { queued: number; most: number };
  /** Why it has died. */
  died?: string;
  /** What another process is to know of its connections while it goes on serving them. */
  copied?: Copied;
  /** It is frozen; what is still to be told of its connections, and the last id that one had. */
  frozen?: { readonly told: Told<number>; readonly lastId: number };
  /** It has ended. */
  ended?: boolean;
}
