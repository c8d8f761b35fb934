/**
 * Serves the connections of a thread: carries their bytes, and ends them.
 *
 * @module
 */

import {
  type Epoll,
  EPOLLERR,
  EPOLLET,
  EPOLLHUP,
  EPOLLIN,
  EPOLLOUT,
  EPOLLPRI,
  EPOLLRDHUP,
} from "../../linux/epoll.ts";
import { now } from "../../linux/clock.ts";
import { libc } from "../../linux/libc.ts";
import { type Liveness, SHUT_WR } from "../../linux/socket.ts";
import type { CloseReason } from "../relay.ts";
import { Accounting } from "./accounting.ts";
import type { Connection } from "./connection.ts";
import type { Connections } from "./connections.ts";
import type { Connector } from "./connector.ts";
import { type Direction, ENDED, MORE, SINK_FAILED, SOURCE_FAILED } from "./direction.ts";
import type { Headers } from "./headers.ts";
import type { Holding } from "./holding.ts";
import { LastWords } from "./last_words.ts";
import { LettingGo } from "./letting_go.ts";
import type { Assignment } from "./messages.ts";
import type { MovedFailure } from "./moved.ts";
import { LONGEST_WAY, type Pace } from "./pace.ts";
import type { Pipes } from "./pipes.ts";
import { CLIENT_ENDED, ESTABLISHED, SERVICE_ENDED, type Table } from "./table.ts";
import type { Timers } from "./timers.ts";
import type { Turn } from "./turn.ts";
import { Unfinished } from "./unfinished.ts";

/** All that a connection's sockets are waited for, once and for all. */
const EVERYTHING = EPOLLIN | EPOLLOUT | EPOLLPRI | EPOLLRDHUP | EPOLLET;
/** There is something to read, or to learn by reading. */
const READABLE = EPOLLIN | EPOLLPRI | EPOLLRDHUP | EPOLLHUP | EPOLLERR;
/** A short read does not prove that there is no more. */
const THOROUGH = EPOLLPRI | EPOLLRDHUP | EPOLLHUP | EPOLLERR;
const WRITABLE = EPOLLOUT | EPOLLHUP | EPOLLERR;
const FAILED = EPOLLHUP | EPOLLERR;

/**
 * How old a connection is when its sockets get the options that only matter after a
 * while, in milliseconds; many a connection does not live to see that.
 */
const LONG_LIVED = 5000;

/** What connections are served with. */
export interface ServingParts {
  readonly turn: Turn;
  readonly assignment: Pick<
    Assignment,
    "idleTimeout" | "halfCloseTimeout" | keyof Liveness
  >;
  readonly epoll: Epoll;
  readonly table: Table;
  readonly timers: Timers;
  readonly pipes: Pipes;
  readonly headers: Headers;
  readonly pace: Pace;
  readonly connections: Connections;
  /** With which number the events of the first row come: two for each row. */
  readonly firstRow: number;
}

/** Serves connections. */
export class Serving {
  readonly #parts: ServingParts;
  readonly #connector: Connector;
  readonly #holding: Holding;
  readonly #accounting: Accounting;
  readonly #carry = (direction: Direction): void => this.carry(direction);
  readonly #lastWords = new LastWords(this);
  /** Lets connections go, as far as that is wanted. */
  readonly lettingGo = new LettingGo(this);
  readonly #unfinished = new Unfinished();

  constructor(parts: ServingParts, connector: Connector, holding: Holding) {
    this.#parts = parts;
    this.#accounting = new Accounting(parts, this.lettingGo);
    this.#connector = connector;
    this.#holding = holding;
  }

  get time(): number {
    return this.#parts.turn.time;
  }

  get asOf(): number {
    return this.#parts.turn.asOf;
  }

  get all(): Connections {
    return this.#parts.connections;
  }

  /** When a byte of a connection moved for the last time. */
  lastByteAt({ row }: Connection): number {
    return this.#parts.table.lastByteAt(row);
  }

  /** Sets a connection's timer. */
  setTimer({ row }: Connection, time: number): void {
    this.#parts.timers.set(row, time);
  }

  /** Sets a connection's timer to an earlier time, if it is one. */
  advanceTimer({ row }: Connection, time: number): void {
    this.#parts.timers.advance(row, time);
  }

  /** Closes the service's socket of a connection, whose client waits for another. */
  leaveService(connection: Connection): void {
    const { table, pipes, connections } = this.#parts;
    connections.closeSocket(connection, connection.upstream);
    table.setUpstream(connection.row, -1);
    table.setUnasked(connection.row, 0);
    connection.leaveService(pipes);
    this.#holding.add(connection, this.time);
    this.#accounting.arrived(connection);
    connections.leaveActive();
  }

  /** Ends a connection in peace. */
  close(connection: Connection, reason: CloseReason): void {
    this.#parts.connections.close(connection, reason);
  }

  /** Ends a connection with a reset on both sides. */
  cut(connection: Connection, reason: CloseReason): void {
    this.#parts.connections.cut(connection, reason);
  }

  /** Waits for events of a client's socket. @returns whether the system has memory for that */
  watchClient({ row, client }: Connection): boolean {
    const { epoll, firstRow } = this.#parts;
    return epoll.tryToAdd(client, EVERYTHING, firstRow + 2 * row);
  }

  /** As {@linkcode watchClient}, of the service's. */
  watchUpstream(connection: Connection): boolean {
    const { row, upstream } = connection;
    const { epoll, firstRow, table, turn } = this.#parts;
    connection.upstreamTurn = turn.number;
    table.setUpstream(row, upstream);
    return epoll.tryToAdd(upstream, EVERYTHING, firstRow + 2 * row + 1);
  }

  /** Waits for events of a connection no more. */
  unwatch({ client, upstream }: Connection): void {
    this.#parts.epoll.remove(client);
    if (upstream !== -1) this.#parts.epoll.remove(upstream);
  }

  /** Looks after a connection of another process, in so many milliseconds at the latest. */
  lookAfterIn(connection: Connection, milliseconds: number): void {
    const { idleTimeout, halfCloseTimeout } = this.#parts.assignment;
    const soon = Math.min(milliseconds, idleTimeout, halfCloseTimeout);
    this.setTimer(connection, now() + soon);
  }

  /** Goes on with a connection that had failed while another process served it. */
  goOn(connection: Connection, failed: MovedFailure): void {
    this.#lastWords.goOn(connection, failed);
  }

  /** What another process needs to know of a connection that has failed. */
  moved({ failure }: Connection): MovedFailure | undefined {
    return failure === null ? undefined : this.#lastWords.moved(failure);
  }

  /** Whether something is left to be carried in the next turn. */
  get hasUnfinished(): boolean {
    return this.#unfinished.any;
  }

  /** Something has happened to a socket. */
  handle(data: number, events: number): void {
    const { connections, firstRow, turn } = this.#parts;
    const connection = connections.at((data - firstRow) >> 1);
    // Closed in this turn, before its event could be looked at; perhaps even in use again.
    if (connection.client === -1) return;
    if (((data - firstRow) & 1) === 0) {
      if (connection.clientTurn !== turn.number) this.#clientEvent(connection, events);
    } else if (connection.upstream !== -1 && connection.upstreamTurn !== turn.number) {
      this.#upstreamEvent(connection, events);
    }
  }

  /** The timer of a row has run out. */
  readonly timerRanOut = (row: number): void => {
    const connection = this.#parts.connections.at(row);
    if (connection.client === -1) return;
    const { attempt, failure } = connection;
    if (attempt !== null) this.#connector.due(connection, attempt);
    else if (failure !== null) this.#lastWords.look(connection, failure);
    else if (connection.heldSince !== null) this.#holding.timeIsUp(connection);
    else this.#lookAfter(connection);
  };

  #clientEvent(connection: Connection, events: number): void {
    const { up, down } = connection;
    if ((events & READABLE) !== 0) {
      up.readable = true;
      if ((events & THOROUGH) !== 0) up.thorough = true;
    }
    if (connection.heldSince !== null) return this.#holding.noticed(connection);
    if (connection.attempt !== null) {
      if ((events & FAILED) !== 0) this.cut(connection, "client_reset");
      return;
    }
    if (down.blocked && (events & WRITABLE) !== 0) this.carry(down);
    if (up.readable && !up.blocked && !up.ended) this.carry(up);
    // An end of what is withheld is passed on if there is nothing before it.
    if (up.stopped && (events & EPOLLRDHUP) !== 0) this.advanceTimer(connection, this.time);
    if ((events & EPOLLERR) !== 0) this.#fail(connection, true);
  }

  #upstreamEvent(connection: Connection, events: number): void {
    const { up, down, attempt } = connection;
    if (attempt !== null) {
      if (!this.#connector.answered(connection, attempt, (events & FAILED) !== 0)) {
        if (connection.attempt !== null) this.#holding.notConnected(connection);
        return;
      }
      this.#join(connection, this.#connector.addressOf(attempt));
    }
    if ((events & READABLE) !== 0) {
      down.readable = true;
      if ((events & THOROUGH) !== 0) down.thorough = true;
    }
    if ((up.blocked && (events & WRITABLE) !== 0) || (attempt !== null && up.readable)) {
      this.carry(up);
    }
    if (down.readable && !down.blocked && !down.ended) this.carry(down);
    if ((events & EPOLLERR) !== 0) this.#fail(connection, false);
  }

  #join(connection: Connection, address: Uint8Array): void {
    const { row, client, header = null } = connection;
    connection.join(this.#connector.target, this.#parts.headers.toSend(client, header));
    connection.joinedAt = this.time;
    this.#parts.table.setTarget(row, connection.target);
    this.#parts.table.setUpstreamName(row, address);
    this.#parts.table.setState(row, ESTABLISHED);
    this.#parts.table.touch(row, this.time);
    const { idleTimeout } = this.#parts.assignment;
    const first = connection.isOnItsWay ? LONGEST_WAY : LONG_LIVED;
    this.#parts.timers.set(row, this.time + Math.min(first, idleTimeout));
    this.lettingGo.spoke(connection);
  }

  /** Carries a direction of a connection on. */
  carry(direction: Direction): void {
    const { row } = direction;
    const connection = this.#parts.connections.at(row);
    const { client, failure } = connection;
    // The other direction may just have come to the end of both.
    if (client === -1) return;
    if (failure?.isSpent && direction === failure.from) return;
    if (this.lettingGo.isOn && direction === connection.down) this.lettingGo.answers(connection);
    if (direction.stopped && !direction.blocked) return;
    const wasBlocked = direction.blocked;
    const outcome = direction.carry(this.#parts.pipes, this.#unfinished.most);
    if (!direction.isBulk) this.#unfinished.sawSmall(this.time);
    if (direction.bytes > 0) {
      if (direction === connection.up) this.#accounting.clientSpoke(connection, direction);
      else this.#accounting.serviceSpoke(connection, direction, wasBlocked);
      direction.bytes = 0;
    }
    if (direction.hasMoved) {
      direction.hasMoved = false;
      this.#parts.table.touch(row, this.time);
    }
    if (failure !== null) this.#lastWords.carried(connection, failure, direction, outcome);
    else if (outcome === MORE) this.postpone(direction);
    else if (outcome === ENDED) this.#ended(connection, direction);
    else if (outcome === SOURCE_FAILED || outcome === SINK_FAILED) {
      const isSource = outcome === SOURCE_FAILED;
      this.#fail(connection, (direction === connection.up) === isSource, isSource);
    }
  }

  /** One side of a connection has failed. @param isSpent whether nothing of it is left to be read */
  #fail(connection: Connection, isClient: boolean, isSpent = false): void {
    if (connection.client === -1) return;
    this.lettingGo.free(connection);
    this.#parts.table.setState(connection.row, isClient ? CLIENT_ENDED : SERVICE_ENDED);
    this.#lastWords.begin(connection, isClient, isSpent);
  }

  /** Drops what a direction has, and what it reads from now on. */
  drop(direction: Direction): void {
    direction.dropFromNowOn(this.#parts.pipes);
  }

  /** Carries a direction on when the others have had their turn. */
  postpone(direction: Direction): void {
    this.#unfinished.add(direction);
  }

  /** Carries on those that have been postponed. */
  continueUnfinished(): void {
    this.#unfinished.goOn(this.time, this.#carry);
  }

  #ended(connection: Connection, direction: Direction): void {
    const { up, down, row } = connection;
    // To close the sockets is all that is left to say.
    if (up.done && down.done) return this.#parts.connections.close(connection, "finished");
    libc.shutdown(direction.sink, SHUT_WR);
    connection.endedAt = this.time;
    this.#accounting.ended(connection);
    this.lettingGo.free(connection);
    this.#parts.table.setState(row, direction === up ? CLIENT_ENDED : SERVICE_ENDED);
    const { idleTimeout, halfCloseTimeout } = this.#parts.assignment;
    this.#parts.timers.set(row, this.time + Math.min(LONG_LIVED, idleTimeout, halfCloseTimeout));
    if (this.lettingGo.isOn) this.advanceTimer(connection, this.time);
  }

  /** Cuts a connection whose time is over, and sets the timer for the next look. */
  #lookAfter(connection: Connection): void {
    const { row } = connection;
    let next = Infinity;
    if (connection.isOnItsWay) {
      next = connection.joinedAt + LONGEST_WAY;
      if (this.asOf >= next) this.#accounting.arrived(connection);
    }
    if (this.lettingGo.isOn) {
      next = Math.min(next, this.lettingGo.look(connection));
      // It may be over, held, or failed.
      if (connection.upstream === -1 || connection.failure !== null) return;
    }
    const { idleTimeout, halfCloseTimeout } = this.#parts.assignment;
    const lastByteAt = this.#parts.table.lastByteAt(row);
    const idleAt = connection.hasAnswer ? Infinity : lastByteAt + idleTimeout;
    const halfCloseAt = Math.max(lastByteAt, connection.endedAt) + halfCloseTimeout;
    if (this.asOf >= idleAt) return this.cut(connection, "idle_timeout");
    if (this.asOf >= halfCloseAt) return this.cut(connection, "half_close_timeout");
    connection.watchClient(this.#parts.assignment);
    connection.watchService(this.#parts.assignment);
    this.#parts.timers.advance(row, Math.min(next, idleAt, halfCloseAt));
  }
}
