/**
 * What becomes of a connection one side of which has failed: a reset, which is forwarded; but first
 * comes what that side had said before.
 *
 * A service that refuses an upload answers, and closes without having read all of it: then its answer
 * has arrived here, and a reset behind it. A reset that was forwarded at once would overtake the
 * answer, or throw it away on its way. So what had arrived is passed on, and the reset follows when
 * the other side has acknowledged all of it. What the other side says meanwhile is read, so that
 * nothing keeps it from listening, and dropped.
 *
 * @module
 */

import { EPIPE } from "../../linux/errno.ts";
import { libc } from "../../linux/libc.ts";
import { SHUT_WR, unacknowledged } from "../../linux/socket.ts";
import type { CloseReason } from "../relay.ts";
import type { MovedFailure } from "./moved.ts";
import type { Connection, FailedSide } from "./connection.ts";
import { type Direction, ENDED, MORE, SINK_FAILED, SOURCE_FAILED } from "./direction.ts";

/** How long the other side may take nothing of what is left, in milliseconds. */
const PATIENCE = 1000;

/** How long until it is looked again whether all is acknowledged, first and at the most. */
const FIRST_PAUSE = 5;
const LONGEST_PAUSE = 100;

/** What is needed of a thread. */
export interface LastWordsContext {
  /** The time of this turn of the loop, and a time before that of which everything was handled. */
  readonly time: number;
  readonly asOf: number;
  /** When a byte of a connection was passed on for the last time. */
  lastByteAt(connection: Connection): number;
  /** Carries a direction, and calls {@linkcode LastWords.carried}. */
  carry(direction: Direction): void;
  /** Carries a direction when the others have had their turn. */
  postpone(direction: Direction): void;
  /** Drops what a direction has, and what it reads from now on. */
  drop(direction: Direction): void;
  /** Calls {@linkcode LastWords.look} then. */
  setTimer(connection: Connection, time: number): void;
  /** Resets both sides. */
  cut(connection: Connection, reason: CloseReason): void;
}

/** Sees to the connections of a thread that have failed. */
export class LastWords {
  readonly #context: LastWordsContext;

  constructor(context: LastWordsContext) {
    this.#context = context;
  }

  /**
   * A side of a connection has failed.
   *
   * @param isClient which one
   * @param isSpent whether nothing of what it had said is left to be read
   */
  begin(connection: Connection, isClient: boolean, isSpent: boolean): void {
    const { failure, up, down } = connection;
    const [from, to] = isClient ? [up, down] : [down, up];
    if (failure !== null) {
      // Now nobody is left to hear anything.
      if (failure.from !== from) this.#context.cut(connection, failure.reason);
      return;
    }
    connection.failure = {
      reason: isClient ? "client_reset" : "upstream_reset",
      from,
      to,
      // A reset is told once, by a read or a write; what tells that it came after an end is EPIPE
      // (tcp_reset in net/ipv4/tcp_input.c). After that each read looks like an end.
      endIsClean: to.sinkError === 0 || to.sinkError === EPIPE,
      isSpent: isSpent || from.done,
      left: Infinity,
      lessAt: this.#context.time,
      pause: FIRST_PAUSE,
    };
    this.#context.drop(to);
    if (to.readable) this.#context.carry(to);
    if (connection.failure === null) return;
    if (connection.failure.isSpent) return this.look(connection, connection.failure);
    from.readable = from.thorough = !from.ended;
    if (from.blocked) this.look(connection, connection.failure);
    else this.#context.carry(from);
  }

  /** What another process needs to know to go on. */
  moved({ reason, isSpent, to }: FailedSide): MovedFailure {
    return { isClient: reason === "client_reset", isSpent, sinkError: to.sinkError };
  }

  /** Goes on where another process has left off. */
  goOn(connection: Connection, { isClient, isSpent, sinkError }: MovedFailure): void {
    const to = isClient ? connection.down : connection.up;
    to.sinkError = sinkError;
    this.begin(connection, isClient, isSpent);
  }

  /** A direction of a connection that has failed was carried. */
  carried(
    connection: Connection,
    failure: FailedSide,
    direction: Direction,
    outcome: number,
  ): void {
    const isOver = outcome === (direction === failure.from ? SINK_FAILED : SOURCE_FAILED);
    if (isOver) return this.#context.cut(connection, failure.reason);
    if (outcome === MORE) return this.#context.postpone(direction);
    if (direction === failure.to) return;
    if (!direction.blocked) {
      failure.isSpent = true;
      if (outcome === ENDED && failure.endIsClean) libc.shutdown(direction.sink, SHUT_WR);
    }
    this.look(connection, failure);
  }

  /** Resets the other side if it has everything, or takes nothing any more. */
  look(connection: Connection, failure: FailedSide): void {
    const { time, asOf } = this.#context;
    const left = unacknowledged(failure.from.sink);
    if (failure.isSpent && left === 0) return this.#context.cut(connection, failure.reason);
    if (left < failure.left) failure.lessAt = time;
    failure.left = left;
    const end = Math.max(failure.lessAt, this.#context.lastByteAt(connection)) + PATIENCE;
    if (asOf >= end) return this.#context.cut(connection, failure.reason);
    this.#context.setTimer(connection, Math.min(time + failure.pause, end));
    failure.pause = Math.min(2 * failure.pause, LONGEST_PAUSE);
  }
}
