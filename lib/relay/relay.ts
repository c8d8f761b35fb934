/**
 * The data plane as the rest of the proxy sees it: it takes connections and carries their bytes,
 * and knows nothing of drains, owners or the control socket.
 *
 * @module
 */

import type { Address, ListenAddress } from "../address.ts";
import type { Network } from "../network.ts";
import type { Tie } from "./conversation.ts";
import type { ProxyVersion } from "./proxy_protocol.ts";

/** In which orders connections are listed; in each, the one with the most comes first. */
export const CONNECTION_ORDERS = ["age", "idle", "bytes"] as const;

/** One of them. */
export type ConnectionOrder = typeof CONNECTION_ORDERS[number];

/** Why a connection is over. */
export type CloseReason =
  /** Both directions ended in peace. */
  | "finished"
  | "client_reset"
  /** While it was held the client ended its direction, and had said nothing that is left to be read. */
  | "client_left"
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
  | "stopped"
  /** The header of the PROXY protocol that the client was to begin with was missing, wrong or late. */
  | "bad_header";

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
  "client_left",
  "bad_header",
];

/** What a connection is doing. */
export type ConnectionState =
  | "connecting"
  | "established"
  /** The service has ended its direction; both may have. */
  | "service-ended"
  | "client-ended"
  /** Held, and never served yet. */
  | "queued"
  /** Held, and served before: the service was let go while the connection was quiet. */
  | "suspended";

/** Every {@linkcode ConnectionState}. */
export const CONNECTION_STATES: readonly ConnectionState[] = [
  "connecting",
  "established",
  "service-ended",
  "client-ended",
  "queued",
  "suspended",
];

/** One connection, as it is right now. */
export interface Connection {
  /** Unique for as long as the proxy runs. */
  readonly id: number;
  /** The client's address, `HOST:PORT`: as its header of the PROXY protocol says, if it sent one. */
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
  /** For how many milliseconds it has been held; `null` if it is not. */
  readonly heldFor: number | null;
  /** Why it cannot be suspended; `null` if it can, once it is quiet. */
  readonly tied: Tie | null;
}

/** Totals since the start. */
export interface Counters {
  readonly accepted: number;
  readonly bytesUp: number;
  readonly bytesDown: number;
  readonly connectFailures: number;
  readonly closed: Readonly<Record<CloseReason, number>>;
}

/** What a service manager passed on. */
export interface PassedOn {
  readonly descriptors: readonly number[];
  /**
   * Whether to serve one of them; the others are left alone.
   *
   * @param at where it listens, or why it cannot be used: then it is not served, whatever is said
   */
  isWanted(descriptor: number, at: Address | Error): boolean;
}

/** Where a relay listens: at an address, or on sockets that listen already. */
export type ListenAt = ListenAddress | PassedOn;

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
  /** Whether a held client that has ended its direction is dropped though it had sent something. */
  readonly abortOnClose: boolean;
  /** How many held clients are on their way to the service at once. */
  readonly maxConnecting: number;
  /**
   * Whose connections begin with a header of the PROXY protocol. Until that is whole such a client is
   * held; it is reset if something else comes, or nothing within the connect timeout while the relay
   * is open.
   */
  readonly acceptProxy: readonly Network[];
  /** With which header of the PROXY protocol each connection to the service begins; `null` with none. */
  readonly sendProxy: ProxyVersion | null;
}

/** What need not be waited for while a relay holds. Durations are in milliseconds. */
export interface LettingGo {
  /**
   * Connections that have been quiet for that long are suspended: the service is let go, and the
   * client is held. It must be longer than the longest pause that the service makes within an answer.
   * `null` is never.
   */
  readonly suspendQuiet: number | null;
  /**
   * A connection whose service has ended its direction is over once the client has acknowledged
   * everything and said nothing for that long. `null` is never.
   */
  readonly closeEnded: number | null;
}

/** Everything is waited for. */
export const WAIT_FOR_ALL: LettingGo = { suspendQuiet: null, closeEnded: null };

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
  /** A client, `HOST:PORT`, was reset, since it did not begin with the header that it had to send. */
  badHeader(peer: string, why: string): void;
  /** A held client is being served, after so many milliseconds. */
  released(held: number): void;
  /**
   * There is no room for another connection; further clients wait.
   *
   * @param lack what the system has no more of; `null` if it is the limit for connections
   */
  full(active: number, lack: string | null): void;
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
  /** Where it listens, with the real port; of several places, the first. */
  readonly listen: Address;
  /** All places where it listens: several, where a service manager passed on several sockets. */
  readonly listensAt: readonly Address[];
  /** Where new connections go. */
  readonly upstream: Address;
  /** How many connections may be active; `null` where that shows only when there are too many. */
  readonly maxConnections: number | null;
  readonly active: number;
  /** For how many milliseconds no connection has been active; 0 while there is one. */
  readonly idleFor: number;
  /** Clients that wait; `null` while there are some and it cannot be known how many. */
  readonly queued: number | null;
  /** Clients that were served before, and are held since their service was let go. */
  readonly suspended: number;
  /**
   * For how many milliseconds the one has been held that was never served, and has waited the longest;
   * 0 if there is none.
   */
  readonly longestHold: number;
  /** How many clients can be held in all; `null` where that is not known. */
  readonly queueLimit: number | null;
  readonly counters: Counters;

  /**
   * Serves no further client. Once this resolves, no client that comes later is served. To be called
   * again to change what is let go.
   */
  hold(lettingGo?: LettingGo): Promise<void>;
  /** Serves those who wait, in the order in which they came, and all that come later. */
  open(): Promise<Released>;
  /**
   * Sends new connections, and those that still try to connect, to another service.
   *
   * @param suspendQuiet as in {@linkcode LettingGo}, for connections to any other service from now on
   */
  retarget(upstream: Address, suspendQuiet?: number | null): void;
  /** How many active connections are to another service than {@linkcode upstream}. */
  readonly elsewhere: number;
  /**
   * Why a service cannot be the upstream, whether or not it answers; `null` if it can. To be asked
   * before {@linkcode retarget}, which takes whatever it is given.
   */
  whyUnusable(upstream: Address): Promise<string | null>;
  /** Whether the upstream accepts a connection within so many milliseconds. */
  probe(timeout: number): Promise<boolean>;
  /**
   * The active connections, each as it is when its turn comes; left out if it has ended by then.
   *
   * @param most how many at the most: the fewer, the less is to be done
   * @param order the oldest first, unless another one is wanted
   */
  connections(most?: number, order?: ConnectionOrder): Iterable<Connection>;
  /** As {@linkcode connections}, those that are held, as far as they have been accepted. */
  held(most?: number, order?: ConnectionOrder): Iterable<Connection>;
  /**
   * Cuts a connection: both sides see a reset.
   *
   * @returns whether there was such a connection
   */
  close(id: number, reason: CloseReason): boolean;
  /**
   * Cuts the connections on which no byte has moved for so many milliseconds: not those whose bytes
   * wait unread because the process was stopped. To be called again only when it has resolved.
   *
   * @param idle 0 cuts all
   * @returns those that were cut, as they were just before
   */
  closeIdle(idle: number, reason: CloseReason): Promise<Connection[]>;
  /**
   * Stops listening. While open, what is queued is taken first, as far as there are descriptors for
   * it; what is left is reset, and so is all of it while holding.
   *
   * @returns how many clients were reset
   */
  stopListening(): Promise<number>;
  /** Cuts what is left, and gives everything back. */
  shutDown(): Promise<void>;
  /**
   * Instead: gives everything back without a word to anybody, since another process has all of it as
   * well. Only where a relay can be moved.
   */
  leave?(): Promise<void>;
}
