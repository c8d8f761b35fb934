/**
 * Connects to the service, again and again for as long as the client may be kept waiting.
 *
 * @module
 */

import {
  EADDRNOTAVAIL,
  ECONNREFUSED,
  EINPROGRESS,
  errno,
  ETIMEDOUT,
  isLack,
} from "../../linux/errno.ts";
import { libc } from "../../linux/libc.ts";
import { clientPorts } from "../../linux/ports.ts";
import {
  closeWithReset,
  familyOf,
  hasSourceFor,
  isConnectedToItself,
  newSocket,
  pendingError,
} from "../../linux/socket.ts";
import { portOf } from "../../linux/socket_address.ts";
import type { Attempt, Connection } from "./connection.ts";
import type { Target } from "./target.ts";

/** The first pause before another round, in milliseconds; each is twice the one before. */
const FIRST_PAUSE = 20;
/** The longest pause, in milliseconds: how late a service that has just come up may be noticed. */
const LONGEST_PAUSE = 250;
/** How long an address may keep those after it waiting, in milliseconds. */
const LONGEST_TURN = 3000;

/** For a service that has no address right now. */
export const NO_ADDRESS = 0;

/** What a connector needs of its thread. */
export interface ConnectorContext {
  /** The time of this turn of the loop. */
  readonly time: number;
  /** Waits for events of the service's socket, which is not connected yet, if that can be had. */
  watchUpstream(connection: Connection): boolean;
  /** The service's socket is closed: its number may be somebody else's by now. */
  forgetUpstream(connection: Connection): void;
  /** Calls {@linkcode Connector.due} for the connection then. */
  setTimer(connection: Connection, time: number): void;
  /** All addresses have been tried, in vain. */
  roundFailed(error: number): void;
  /**
   * The system has no more of what it takes to connect it, by the number of an error: it is not
   * connected any further.
   */
  lacks(connection: Connection, error: number): void;
  /** The time of a connection is over. */
  gaveUp(connection: Connection, error: number): void;
}

/** Connects the connections of a thread. */
export class Connector {
  readonly #context: ConnectorContext;
  readonly #timeout: number;
  readonly #clientPorts = clientPorts();
  #target: Target;
  /** Which of the addresses is tried first: the one that answered last. */
  #first = 0;

  /** @param timeout how long a client waits, in milliseconds; `Infinity` is no limit */
  constructor(context: ConnectorContext, target: Target, timeout: number) {
    this.#context = context;
    this.#target = target;
    this.#timeout = timeout;
  }

  /** The number of the service that is being connected. */
  get target(): number {
    return this.#target.number;
  }

  /** Starts to connect a connection. @param deadline until when to try, on the clock */
  start(connection: Connection, deadline = this.#context.time + this.#timeout): void {
    connection.attempt = {
      deadline,
      due: Infinity,
      pause: FIRST_PAUSE,
      addresses: [],
      first: 0,
      tried: 0,
      error: NO_ADDRESS,
      lack: 0,
    };
    this.#startRound(connection, connection.attempt);
  }

  /** Goes on with a target that has changed; those who try to connect follow. */
  retarget(target: Target, connections: Iterable<Connection>): void {
    const before = this.#target;
    const isAnother = target.number !== before.number;
    this.#target = target;
    this.#first = 0;
    for (const connection of connections) {
      const { attempt } = connection;
      if (attempt === null) continue;
      if (isAnother) {
        this.abandon(connection);
        attempt.pause = FIRST_PAUSE;
        this.#startRound(connection, attempt);
      } else if (connection.upstream === -1 && !before.lookedUp) {
        this.#startRound(connection, attempt);
      }
    }
  }

  /**
   * Something happened to the service's socket.
   *
   * @param failed whether the system says that it failed
   * @returns whether it is connected now
   */
  answered(connection: Connection, attempt: Attempt, failed: boolean): boolean {
    const { upstream } = connection;
    if (failed) {
      this.#failed(connection, attempt, pendingError(upstream) || ECONNREFUSED);
      return false;
    }
    const port = portOf(this.addressOf(attempt));
    const { first, last } = this.#clientPorts;
    if (port >= first && port <= last && isConnectedToItself(upstream, port)) {
      this.#failed(connection, attempt, ECONNREFUSED);
      return false;
    }
    // The addresses may be others by now.
    if (attempt.addresses === this.#target.addresses) this.#first = indexOf(attempt);
    return true;
  }

  /** The timer of a connection has run out. */
  due(connection: Connection, attempt: Attempt): void {
    // While the process stood still, nobody could try.
    const late = this.#context.time - attempt.due;
    if (late > LONGEST_PAUSE) attempt.deadline += late;
    if (connection.upstream !== -1) return this.#failed(connection, attempt, ETIMEDOUT);
    if (this.#context.time < attempt.deadline) return this.#startRound(connection, attempt);
    // Waiting for an address was all it could do.
    if (!this.#target.lookedUp) this.#context.roundFailed(attempt.error);
    this.#context.gaveUp(connection, attempt.error);
  }

  /** Connects a connection no further. */
  stop(connection: Connection): void {
    this.abandon(connection);
    connection.attempt = null;
  }

  /** Drops the service's socket of a connection that is not connected. */
  abandon(connection: Connection): void {
    if (connection.upstream === -1) return;
    // Not closed in peace: nobody should take that for a client.
    closeWithReset(connection.upstream);
    connection.upstream = -1;
    this.#context.forgetUpstream(connection);
  }

  /** The address that is being tried, as the kernel has it. */
  addressOf(attempt: Attempt): Uint8Array<ArrayBuffer> {
    return attempt.addresses[indexOf(attempt)] as Uint8Array<ArrayBuffer>;
  }

  #startRound(connection: Connection, attempt: Attempt): void {
    attempt.addresses = this.#target.addresses;
    attempt.first = this.#first;
    attempt.tried = 0;
    attempt.lack = 0;
    if (this.#target.lookedUp) this.#tryNext(connection, attempt);
    else this.#goOnAt(connection, attempt, attempt.deadline);
  }

  #failed(connection: Connection, attempt: Attempt, error: number): void {
    this.abandon(connection);
    attempt.error = error;
    attempt.tried++;
    this.#tryNext(connection, attempt);
  }

  #tryNext(connection: Connection, attempt: Attempt): void {
    const { length } = attempt.addresses;
    for (; attempt.tried < length; attempt.tried++) {
      const left = attempt.deadline - this.#context.time;
      if (left <= 0) break;
      attempt.error = this.#try(connection, this.addressOf(attempt));
      if (attempt.error !== 0) {
        if (this.#isLack(attempt)) attempt.lack = attempt.error;
        continue;
      }
      // A host that swallows packets must leave time for those after it.
      const others = length - attempt.tried - 1;
      const turn = others === 0 ? left : Math.min(left / (others + 1), LONGEST_TURN);
      return this.#goOnAt(connection, attempt, this.#context.time + turn);
    }
    if (attempt.lack !== 0) {
      this.stop(connection);
      return this.#context.lacks(connection, attempt.lack);
    }
    if (length === 0) attempt.error = NO_ADDRESS;
    this.#context.roundFailed(attempt.error);
    const next = this.#context.time + attempt.pause;
    attempt.pause = Math.min(2 * attempt.pause, LONGEST_PAUSE);
    this.#goOnAt(connection, attempt, Math.min(next, attempt.deadline));
  }

  #goOnAt(connection: Connection, attempt: Attempt, time: number): void {
    attempt.due = time;
    this.#context.setTimer(connection, time);
  }

  /** Whether it is not the service's fault that its address could not be tried. */
  #isLack(attempt: Attempt): boolean {
    const { error } = attempt;
    return isLack(error) || error === EADDRNOTAVAIL && hasSourceFor(this.addressOf(attempt));
  }

  /** @returns 0 when an answer can be expected, or the number of an error */
  #try(connection: Connection, address: Uint8Array<ArrayBuffer>): number {
    const descriptor = newSocket(familyOf(address));
    if (descriptor < 0) return errno();
    if (libc.connect(descriptor, address, address.length) !== 0 && errno() !== EINPROGRESS) {
      const error = errno();
      libc.close(descriptor);
      return error;
    }
    connection.upstream = descriptor;
    if (this.#context.watchUpstream(connection)) return 0;
    const error = errno();
    this.abandon(connection);
    return error;
  }
}

/** The place of the address that is being tried among those of its round. */
function indexOf({ addresses, first, tried }: Attempt): number {
  return (first + tried) % addresses.length;
}
