/**
 * The data plane as the rest of the proxy sees it: it takes connections and carries their bytes,
 * and knows nothing of drains, owners or the control socket.
 *
 * @module
 */

import type { Address, ListenAddress } from "../address.ts";

/** Why a connection is over. */
export type CloseReason =
  /** Both directions ended in peace. */
  | "finished"
  | "client_reset"
  | "upstream_reset"
  /** No upstream could be connected within the connect timeout. */
  | "upstream_unreachable"
  | "idle_timeout"
  | "half_close_timeout"
  /** By `DELETE /v1/connections/{id}`. */
  | "killed"
  /** By a drain that was asked to close connections. */
  | "drain"
  /** The proxy stopped before the connection was over. */
  | "stopped";

/** Every {@linkcode CloseReason}. */
export const CLOSE_REASONS: readonly CloseReason[] = [
  "finished",
  "client_reset",
  "upstream_reset",
  "upstream_unreachable",
  "idle_timeout",
  "half_close_timeout",
  "killed",
  "drain",
  "stopped",
];

/** What a connection is doing: `half-closed` means that one direction has ended. */
export type ConnectionState = "connecting" | "established" | "half-closed";

/** One active connection, as it is right now. */
export interface Connection {
  /** Unique for as long as the proxy runs. */
  readonly id: number;
  /** The client's address, `HOST:PORT`. */
  readonly peer: string;
  /** The address of the service that serves it, `HOST:PORT`; while connecting, the one asked for. */
  readonly upstream: string;
  readonly state: ConnectionState;
  /** Milliseconds since it was accepted. */
  readonly age: number;
  /** Milliseconds since a byte moved, either way. */
  readonly idle: number;
  /** Bytes from the client to the service. */
  readonly bytesUp: number;
  /** Bytes from the service to the client. */
  readonly bytesDown: number;
}

/** Totals since the start. */
export interface Counters {
  readonly accepted: number;
  readonly bytesUp: number;
  readonly bytesDown: number;
  readonly connectFailures: number;
  readonly closed: Readonly<Record<CloseReason, number>>;
}

/** Where a relay listens: at an address, or on a socket that listens already, by its descriptor. */
export type ListenAt = ListenAddress | { readonly descriptor: number };

/** What a relay is told once, at its start. Durations are in milliseconds, `null` is no limit. */
export interface RelayOptions {
  readonly upstream: Address;
  readonly connectTimeout: number | null;
  readonly idleTimeout: number | null;
  readonly halfCloseTimeout: number | null;
  /** How many connections may be active; `null` as many as there are descriptors for. */
  readonly maxConnections: number | null;
  /** How many threads carry bytes, where the relay can have several. */
  readonly threads: number;
  /** How long a connection is silent before its peers are probed (tcp(7)); `null` is never. */
  readonly keepAlive: number | null;
  /**
   * How long a peer may leave what it was sent unacknowledged, or its window closed, before it is
   * given up (TCP_USER_TIMEOUT, tcp(7)); `null` leaves that to the system.
   */
  readonly userTimeout: number | null;
}

/** What a relay tells of, as it happens. */
export interface RelayEvents {
  /** No connection is active any more. Only told while the relay holds, or listens no more. */
  noneActive(): void;
  /** A connection became active. Left out, it costs nothing. */
  opened?(connection: Connection): void;
  /** A connection is over. Left out, it costs nothing. */
  closed?(connection: Connection, reason: CloseReason): void;
  /** An attempt to connect to the service failed; the client still waits and it is tried again. */
  connectFailed(upstream: string, error: string): void;
  /** A client was reset because the service could not be reached within the connect timeout. */
  gaveUp(upstream: string, error: string): void;
  /** A held client is being served, after so many milliseconds. */
  released(held: number): void;
  /** There is no room for another connection; further clients wait. */
  full(active: number): void;
  /** Of so many clients that may wait in the kernel's queue, most do; told once in a hold. */
  queueFilling(queued: number, most: number): void;
  /** The relay broke and cannot go on. Every connection has been reset. */
  broken(error: Error): void;
}

/** What became of the held clients when the relay was opened. */
export interface Released {
  /** How many were held. */
  readonly held: number;
  /** The longest time one of them was held, in milliseconds; 0 if there were none. */
  readonly longest: number;
}

/**
 * A relay. It is made holding, with the listening socket in place, so that nobody is served before
 * somebody decided that.
 */
export interface Relay {
  readonly kind: "epoll" | "portable";
  readonly threads: number;
  /** Where it listens, with the real port. */
  readonly listen: Address;
  /** Where new connections go. */
  readonly upstream: Address;
  /** How many connections may be active; `null` where that shows only when there are too many. */
  readonly maxConnections: number | null;
  readonly active: number;
  /** For how many milliseconds no connection has been active; 0 while there is one. */
  readonly idleFor: number;
  /** Clients that wait; `null` where that cannot be known. */
  readonly queued: number | null;
  readonly counters: Counters;

  /** Serves no further client. Once this resolves, no client that comes later is served. */
  hold(): Promise<void>;
  /** Serves those who wait, in the order in which they came, and all that come later. */
  open(): Promise<Released>;
  /** Sends new connections, and those that still try to connect, to another service. */
  retarget(upstream: Address): void;
  /** The active connections, oldest first. */
  connections(): Connection[];
  /**
   * Cuts a connection: both sides see a reset.
   *
   * @returns whether there was such a connection
   */
  close(id: number, reason: CloseReason): boolean;
  /**
   * Stops listening. While open, what is queued is taken first; while holding, it is reset.
   *
   * @returns how many clients were reset
   */
  stopListening(): Promise<number>;
  /** Cuts what is left, and gives everything back. */
  shutDown(): Promise<void>;
}
