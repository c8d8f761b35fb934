/**
 * Takes connections from their service while they are quiet, so that their clients can go on with
 * another.
 *
 * It needs no protocol, only patience: the service's answer is kept back, unread, until the client
 * has been silent for a while. So what the client sends before it can see the answer is its request,
 * whole, and is passed on; what it sends after that is another request, and stays unread, for whoever
 * serves it next. Once the service has been silent for as long, it has said everything: its socket
 * is closed, and the client's is kept.
 *
 * @module
 */

import { hasEnded, isSilent, unacknowledged } from "../../linux/socket.ts";
import { CLIENT, longestKeptBack } from "../conversation.ts";
import type { CloseReason } from "../relay.ts";
import { type Connection, FREE, KEPT_BACK, OVERLAPPING, WITHHELD } from "./connection.ts";
import type { Direction } from "./direction.ts";

/** How long until it is looked again whether the peer has acknowledged everything, in milliseconds. */
const PAUSE = 16;

/** What is let go. Durations are in milliseconds, `Infinity` is never. */
export interface Wanted {
  /** How long any connection must have been quiet. */
  readonly quiet: number;
  /** How long one to another target than this must have been. */
  readonly quietElsewhere: number;
  readonly target: number;
  /** How long a client must have been silent whose service has ended. */
  readonly closeEnded: number;
}

/** Nothing is let go. */
export const NOTHING: Wanted = {
  quiet: Infinity,
  quietElsewhere: Infinity,
  target: 0,
  closeEnded: Infinity,
};

/** What is needed of a thread. */
export interface LettingGoContext {
  /** The time of this turn of the loop, and a time before that of which everything was handled. */
  readonly time: number;
  readonly asOf: number;
  /** All connections of the thread. */
  readonly all: Iterable<Connection>;
  /** When a byte of a connection moved for the last time. */
  lastByteAt(connection: Connection): number;
  /** Carries a direction. */
  carry(direction: Direction): void;
  /** Carries a direction when the others have had their turn. */
  postpone(direction: Direction): void;
  /** Calls {@linkcode LettingGo.look} then, or before that. */
  advanceTimer(connection: Connection, time: number): void;
  /** Closes the service's socket, and has the client wait for another. */
  leaveService(connection: Connection): void;
  /** Closes both sockets, in peace. */
  close(connection: Connection, reason: CloseReason): void;
}

/** Lets the connections of a thread go, as far as that is wanted. */
export class LettingGo {
  /** Whether anything is wanted. */
  isOn = false;
  readonly #context: LettingGoContext;
  #wanted = NOTHING;

  constructor(context: LettingGoContext) {
    this.#context = context;
  }

  /** Lets go what is wanted from now on, and nothing else. */
  want(wanted: Wanted): void {
    if (isSame(this.#wanted, wanted)) return;
    this.#wanted = wanted;
    const { quiet, quietElsewhere, closeEnded } = wanted;
    const wasOn = this.isOn;
    this.isOn = quiet < Infinity || quietElsewhere < Infinity || closeEnded < Infinity;
    if (!wasOn && !this.isOn) return;
    for (const connection of this.#context.all) {
      if (connection.upstream === -1 || connection.attempt !== null) continue;
      if (longestKeptBack(this.#quietFor(connection)) === 0) this.free(connection);
      if (this.isOn) this.#context.advanceTimer(connection, this.#context.time);
    }
  }

  /** The service is about to be read: keeps its answer back, if that is to be done. */
  answers(connection: Connection): void {
    const { exchange, talk, down, failure } = connection;
    if (exchange !== FREE || talk.turn !== CLIENT || failure !== null || !down.readable) return;
    const quiet = this.#quietFor(connection);
    if (longestKeptBack(quiet) === 0 || talk.tied(quiet) !== null) return;
    connection.exchange = KEPT_BACK;
    connection.keptBackSince = this.#context.time;
    down.stopped = true;
    this.#context.advanceTimer(connection, this.#context.lastByteAt(connection) + quiet);
  }

  /** The service has spoken, or the client has: when it has to be looked again. */
  spoke(connection: Connection): void {
    const quiet = this.#quietFor(connection);
    if (quiet < Infinity) this.#context.advanceTimer(connection, this.#context.time + quiet);
  }

  /** The exchange goes on as always: reads what was kept back, and what was withheld. */
  free(connection: Connection): void {
    if (connection.exchange === FREE) return;
    connection.exchange = FREE;
    // From now on it may be idle.
    this.#context.advanceTimer(connection, this.#context.time);
    for (const direction of [connection.up, connection.down]) {
      direction.stopped = false;
      // No event tells of that again.
      if (direction.readable && !direction.ended) this.#context.postpone(direction);
    }
  }

  /**
   * Does what is due with a connection.
   *
   * @returns when to look again, on the clock
   */
  look(connection: Connection): number {
    if (connection.down.done) return this.#lookAtEnded(connection);
    const quiet = this.#quietFor(connection);
    if (quiet === Infinity) return Infinity;
    if (connection.talk.tied(quiet) !== null) {
      this.free(connection);
      return Infinity;
    }
    const due = this.#context.lastByteAt(connection) + quiet;
    const isKeptBack = connection.exchange === KEPT_BACK;
    if (this.#context.asOf < due) {
      if (!isKeptBack || this.#context.asOf < this.#keptBackUntil(connection, quiet)) return due;
      return this.#overlap(connection, quiet);
    }
    return isKeptBack ? this.#passOn(connection, quiet) : this.#letGo(connection, quiet);
  }

  #keptBackUntil({ keptBackSince }: Connection, quiet: number): number {
    return keptBackSince + longestKeptBack(quiet);
  }

  /** The service answers while it is still being asked: what is still to come is for it as well. */
  #overlap(connection: Connection, quiet: number): number {
    connection.exchange = OVERLAPPING;
    connection.down.stopped = false;
    this.#context.carry(connection.down);
    return this.#context.time + quiet;
  }

  #quietFor({ target }: Connection): number {
    const { quiet, quietElsewhere, target: current } = this.#wanted;
    return target === current ? quiet : Math.min(quiet, quietElsewhere);
  }

  /** The client has been silent for long enough: passes on what was kept back from it. */
  #passOn(connection: Connection, quiet: number): number {
    const { up, down, client, talk } = connection;
    const { time } = this.#context;
    // The service hears no more before its answer is read.
    if (up.blocked) return this.#overlap(connection, quiet);
    if (!isSilent(client)) {
      up.readable = true;
      this.#context.carry(up);
      return time + quiet;
    }
    connection.exchange = WITHHELD;
    up.stopped = true;
    down.stopped = false;
    this.#context.carry(down);
    // There was no answer yet, it only looked like that.
    if (connection.exchange === WITHHELD && talk.turn === CLIENT) this.free(connection);
    return time + quiet;
  }

  /** The service has been silent for long enough: lets it go if it has been told everything. */
  #letGo(connection: Connection, quiet: number): number {
    const { up, down, client, upstream, talk, exchange, failure } = connection;
    const { time } = this.#context;
    if (exchange === OVERLAPPING && !up.blocked) connection.exchange = FREE;
    // Looked at again when somebody has spoken.
    if (talk.turn === CLIENT || failure !== null) return Infinity;
    if (down.readable || down.blocked || up.blocked) return time + quiet;
    if (!isSilent(client)) {
      if (exchange !== WITHHELD) return time + PAUSE;
      // An end is withheld from nobody.
      if (hasEnded(client)) {
        this.free(connection);
        return Infinity;
      }
    }
    if (unacknowledged(upstream) > 0 || !isSilent(upstream)) return time + PAUSE;
    this.#context.leaveService(connection);
    return Infinity;
  }

  #lookAtEnded(connection: Connection): number {
    const { up, client, endedAt, failure } = connection;
    const { closeEnded } = this.#wanted;
    if (closeEnded === Infinity || failure !== null) return Infinity;
    const due = Math.max(this.#context.lastByteAt(connection), endedAt) + closeEnded;
    if (this.#context.asOf < due) return due;
    if (up.blocked || unacknowledged(client) > 0 || !isSilent(client)) {
      return this.#context.time + PAUSE;
    }
    this.#context.close(connection, "finished");
    return Infinity;
  }
}

function isSame(one: Wanted, other: Wanted): boolean {
  return one.quiet === other.quiet && one.quietElsewhere === other.quietElsewhere &&
    one.target === other.target && one.closeEnded === other.closeEnded;
}
