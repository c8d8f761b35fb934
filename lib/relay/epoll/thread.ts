/**
 * One of the threads that carry bytes: an event loop over its connections.
 *
 * @module
 */

import {
  Epoll,
  EPOLLERR,
  EPOLLET,
  EPOLLHUP,
  EPOLLIN,
  EPOLLOUT,
  EPOLLPRI,
  EPOLLRDHUP,
} from "../../linux/epoll.ts";
import { now } from "../../linux/clock.ts";
import { EINTR, errno, SystemError } from "../../linux/errno.ts";
import { clear, raise } from "../../linux/event_counter.ts";
import { libc } from "../../linux/libc.ts";
import { closeWithReset, hasPeer, SHUT_WR, watchPeer } from "../../linux/socket.ts";
import { CLOSE_REASONS, type CloseReason } from "../relay.ts";
import { Acceptor } from "./acceptor.ts";
import { Connection } from "./connection.ts";
import { Connector } from "./connector.ts";
import { type Direction, ENDED, MORE, SINK_FAILED, SOURCE_FAILED } from "./direction.ts";
import type { Assignment, Failures, Report } from "./messages.ts";
import type { MovedConnection } from "./moved.ts";
import { Pipes } from "./pipes.ts";
import {
  CLOSING,
  CONTROL,
  ENDING,
  ESTABLISHED,
  FROZEN,
  HALF_CLOSED,
  HOLDING,
  LEAVING,
  OPEN,
  SharedMemory,
  Table,
} from "./shared.ts";
import { TargetMemory } from "./target.ts";
import { Timers } from "./timers.ts";

/** How many events are taken at once. */
const EVENTS = 256;

/** With which numbers events come: two fixed ones, then two for each row. */
const WAKER = 0;
const LISTENER = 1;
const FIRST_ROW = 2;

/** All that a connection's sockets are waited for, once and for all. */
const EVERYTHING = EPOLLIN | EPOLLOUT | EPOLLPRI | EPOLLRDHUP | EPOLLET;
/** There is something to read, or to learn by reading. */
const READABLE = EPOLLIN | EPOLLPRI | EPOLLRDHUP | EPOLLHUP | EPOLLERR;
/** A short read does not prove that there is no more. */
const THOROUGH = EPOLLPRI | EPOLLRDHUP | EPOLLHUP | EPOLLERR;
const WRITABLE = EPOLLOUT | EPOLLHUP | EPOLLERR;
const FAILED = EPOLLHUP | EPOLLERR;

/**
 * How old a connection is when the service's socket gets the options that only matter after a
 * while, in milliseconds; many a connection does not live to see that.
 */
const LONG_LIVED = 5000;

/** A thread. */
export class Thread {
  /** The time and the number of this turn of the loop. */
  time = now();
  turn = 1;
  readonly #assignment: Assignment;
  readonly #tell: (report: Report) => void;
  readonly #shared: SharedMemory;
  readonly #table: Table;
  readonly #target: TargetMemory;
  readonly #epoll = new Epoll(EVENTS);
  /** While it is frozen it only waits for its waker: no event of a connection may be lost. */
  readonly #frozenEpoll = new Epoll(1);
  readonly #acceptor: Acceptor;
  readonly #connector: Connector;
  readonly #timers: Timers;
  readonly #pipes: Pipes;
  /** By row; a row is used again and again, and so is its connection. */
  readonly #connections: Connection[] = [];
  readonly #freeRows: number[] = [];
  /** The connections of another process that are not served yet: they have the first rows. */
  #arrived: readonly MovedConnection[];
  /** Directions that had more to do than fits in one turn. */
  #unfinished: Direction[] = [];
  #taken: Direction[] = [];
  #lastId: number;
  #mode = FROZEN;
  #command = 0;
  #cuts = 0;
  #targetVersion: number;
  #madeRoom = false;
  #toldFull = false;
  #report: Report | null = null;

  /** @param tell sends a report to the main thread */
  constructor(assignment: Assignment, tell: (report: Report) => void) {
    this.#assignment = assignment;
    this.#tell = tell;
    this.#shared = new SharedMemory(assignment.shared);
    this.#table = new Table(assignment.table);
    this.#target = new TargetMemory(assignment.target);
    this.#timers = new Timers(this.#table.rows);
    this.#pipes = new Pipes(assignment.maxPipes);
    this.#targetVersion = this.#target.version;
    this.#connector = new Connector(this, this.#target.read(), assignment.connectTimeout);
    const { index, wakers, listener, maxConnections } = assignment;
    this.#lastId = assignment.lastId + index + 1 - assignment.threads;
    for (const epoll of [this.#epoll, this.#frozenEpoll]) {
      epoll.add(wakers[index] as number, EPOLLIN, WAKER);
    }
    this.#arrived = assignment.moved;
    for (const [row, moved] of assignment.moved.entries()) {
      const connection = new Connection(row);
      connection.restore(moved);
      this.#connections.push(connection);
      this.#table.restore(row, moved);
    }
    this.#acceptor = new Acceptor({
      context: this,
      shared: this.#shared,
      epoll: this.#epoll,
      listener,
      data: LISTENER,
      maxConnections,
      isMonitor: index === 0,
    });
  }

  /** Serves until the main thread wants an end. */
  run(): void {
    this.#tell({ ready: true });
    while (this.#mode !== ENDING && this.#mode !== LEAVING) {
      if (this.#mode === FROZEN) this.#waitToThaw();
      else this.#takeTurn();
      if (this.#report !== null) this.#sendReport();
    }
    this.#pipes.close();
    this.#epoll.close();
    this.#frozenEpoll.close();
    this.#tell({ ended: true });
  }

  /** A client was accepted. */
  accepted(client: number, peer: Uint8Array, wasHeld: boolean): void {
    const row = this.#freeRows.pop() ?? this.#connections.length;
    const connection = this.#connections[row] ??= new Connection(row);
    this.#lastId += this.#assignment.threads;
    connection.begin(client, this.turn);
    this.#table.begin(row, this.#lastId, client, this.time, peer);
    if (this.#assignment.tellEach) this.#tellOpened(row);
    // One that was reset while it was held need not trouble the service.
    if (wasHeld && !hasPeer(client)) return this.#cut(connection, "client_reset");
    this.#connector.start(connection);
    if (connection.client === -1) return;
    // The system has no memory, or no patience, for one more.
    if (this.#epoll.tryToAdd(client, EVERYTHING, FIRST_ROW + 2 * row)) return;
    this.#cut(connection, "client_reset");
  }

  /** A client who was held is being served, after so many milliseconds. */
  released(held: number): void {
    (this.#reporting.released ??= []).push(held);
  }

  /** There is no room for more clients. */
  full(): void {
    // Not again with each connection that comes and goes.
    if (this.#toldFull) return;
    this.#toldFull = true;
    this.#reporting.full = Atomics.load(this.#shared.control, CONTROL.active);
  }

  /** The kernel's queue is nearly full. */
  queueFilling(queued: number, most: number): void {
    this.#reporting.queueFilling = { queued, most };
  }

  /** There is a socket that is being connected to the service. */
  watchUpstream(connection: Connection): boolean {
    const { row, upstream } = connection;
    connection.upstreamTurn = this.turn;
    this.#table.setUpstream(row, upstream);
    return this.#epoll.tryToAdd(upstream, EVERYTHING, FIRST_ROW + 2 * row + 1);
  }

  /** Sets a connection's timer. */
  setTimer(connection: Connection, time: number): void {
    this.#timers.set(connection.row, time);
  }

  /** No address of the service could be connected. */
  roundFailed(error: number): void {
    this.#table.countConnectFailure();
    count(this.#reporting.failures ??= [], error);
  }

  /** The service could not be reached for as long as a client may wait. */
  gaveUp(connection: Connection, error: number): void {
    count(this.#reporting.gaveUp ??= [], error);
    this.#cut(connection, "upstream_unreachable");
  }

  /** Waits for events, and does what is to be done. */
  #takeTurn(): void {
    const count = this.#wait(this.#epoll, this.#patience());
    for (let index = 0; index < count; index++) {
      this.#handle(this.#epoll.dataAt(index), this.#epoll.eventsAt(index));
    }
    if (this.#unfinished.length > 0) this.#continueUnfinished();
    this.#timers.fire(this.time, this.#connections.length, this.#timerRanOut);
    if (this.#madeRoom || this.time >= this.#acceptor.retryAt) this.#proceed();
    if (this.#mode === FROZEN) this.#reporting.frozen = this.#moved;
  }

  /** Events of connections wait in their own epoll instance: none is lost while it is frozen. */
  #waitToThaw(): void {
    if (this.#wait(this.#frozenEpoll, -1) > 0) this.#obey();
  }

  #wait(epoll: Epoll, patience: number): number {
    const count = epoll.wait(patience);
    if (count < 0 && errno() !== EINTR) throw new SystemError("epoll_wait");
    this.time = now();
    this.turn++;
    return count;
  }

  #patience(): number {
    if (this.#unfinished.length > 0) return 0;
    const { retryAt } = this.#acceptor;
    if (retryAt === Infinity) return this.#timers.patience(this.time);
    const pause = Math.max(0, Math.ceil(retryAt - this.time));
    const patience = this.#timers.patience(this.time);
    return patience < 0 ? pause : Math.min(pause, patience);
  }

  #handle(data: number, events: number): void {
    if (data === WAKER) return this.#obey();
    if (data === LISTENER) return this.#acceptor.notice();
    const connection = this.#connections[(data - FIRST_ROW) >> 1] as Connection;
    // Closed in this turn, before its event could be looked at; perhaps even in use again.
    if (connection.client === -1) return;
    if ((data & 1) === 0) {
      if (connection.clientTurn !== this.turn) this.#clientEvent(connection, events);
    } else if (connection.upstreamTurn !== this.turn) {
      this.#upstreamEvent(connection, events);
    }
  }

  #clientEvent(connection: Connection, events: number): void {
    const { up, down } = connection;
    if ((events & READABLE) !== 0) {
      up.readable = true;
      if ((events & THOROUGH) !== 0) up.thorough = true;
    }
    if (connection.attempt !== null) {
      if ((events & FAILED) !== 0) this.#cut(connection, "client_reset");
      return;
    }
    if (down.blocked && (events & WRITABLE) !== 0) this.#carry(connection, down);
    if (up.readable && !up.blocked && !up.ended) this.#carry(connection, up);
    if ((events & EPOLLERR) !== 0) this.#cut(connection, "client_reset");
  }

  #upstreamEvent(connection: Connection, events: number): void {
    const { up, down, attempt } = connection;
    if (attempt !== null) {
      if (!this.#connector.answered(connection, attempt, (events & FAILED) !== 0)) return;
      this.#join(connection, this.#connector.addressOf(attempt));
    }
    if ((events & READABLE) !== 0) {
      down.readable = true;
      if ((events & THOROUGH) !== 0) down.thorough = true;
    }
    if ((up.blocked && (events & WRITABLE) !== 0) || (attempt !== null && up.readable)) {
      this.#carry(connection, up);
    }
    if (down.readable && !down.blocked && !down.ended) this.#carry(connection, down);
    if ((events & EPOLLERR) !== 0) this.#cut(connection, "upstream_reset");
  }

  #join(connection: Connection, address: Uint8Array): void {
    const { row } = connection;
    connection.join();
    this.#table.setUpstreamName(row, address);
    this.#table.setState(row, ESTABLISHED);
    this.#table.touch(row, this.time);
    this.#timers.set(row, this.time + Math.min(LONG_LIVED, this.#assignment.idleTimeout));
  }

  #carry(connection: Connection, direction: Direction): void {
    // The other direction may just have come to the end of both.
    if (connection.client === -1) return;
    const { row } = connection;
    const outcome = direction.carry(this.#pipes);
    if (direction.hasMoved) {
      direction.hasMoved = false;
      this.#table.touch(row, this.time);
    }
    if (direction.bytes > 0) {
      if (direction === connection.up) this.#table.addUp(row, direction.bytes);
      else this.#table.addDown(row, direction.bytes);
      direction.bytes = 0;
    }
    if (outcome === MORE) this.#postpone(direction);
    else if (outcome === ENDED) this.#ended(connection, direction);
    else if (outcome === SOURCE_FAILED || outcome === SINK_FAILED) {
      const isClient = (direction === connection.up) === (outcome === SOURCE_FAILED);
      this.#cut(connection, isClient ? "client_reset" : "upstream_reset");
    }
  }

  #postpone(direction: Direction): void {
    if (direction.isPostponed) return;
    direction.isPostponed = true;
    this.#unfinished.push(direction);
  }

  #continueUnfinished(): void {
    const directions = this.#unfinished;
    this.#unfinished = this.#taken;
    this.#taken = directions;
    for (let index = 0; index < directions.length; index++) {
      const direction = directions[index] as Direction;
      if (!direction.isPostponed) continue;
      direction.isPostponed = false;
      if (!direction.blocked) this.#carry(direction.connection, direction);
    }
    directions.length = 0;
  }

  #ended(connection: Connection, direction: Direction): void {
    const { up, down, row } = connection;
    if (up.done && down.done) return this.#finish(connection);
    libc.shutdown(direction.sink, SHUT_WR);
    connection.endedAt = this.time;
    this.#table.setState(row, HALF_CLOSED);
    const { idleTimeout, halfCloseTimeout } = this.#assignment;
    this.#timers.set(row, this.time + Math.min(LONG_LIVED, idleTimeout, halfCloseTimeout));
  }

  /** Both directions are done: closing the sockets is all that is left to say. */
  #finish(connection: Connection): void {
    libc.close(connection.client);
    libc.close(connection.upstream);
    this.#over(connection, "finished");
  }

  /** Ends a connection with a reset on both sides. */
  #cut(connection: Connection, reason: CloseReason): void {
    const { client, upstream } = connection;
    if (client === -1) return;
    if (upstream !== -1) closeWithReset(upstream);
    closeWithReset(client);
    this.#over(connection, reason);
  }

  #over(connection: Connection, reason: CloseReason): void {
    const { row } = connection;
    if (this.#assignment.tellEach) this.#tellClosed(row, reason);
    connection.end(this.#pipes);
    this.#timers.set(row, Infinity);
    this.#table.end(row, CLOSE_REASONS.indexOf(reason));
    this.#freeRows.push(row);
    const { control } = this.#shared;
    const left = Atomics.sub(control, CONTROL.active, 1) - 1;
    if (left === 0) {
      this.#shared.idleSince = this.time;
      if (Atomics.load(control, CONTROL.mode) !== OPEN) this.#reporting.noneActive = true;
    }
    if (this.#toldFull && left < 3 / 4 * this.#assignment.maxConnections) this.#toldFull = false;
    if (Atomics.load(control, CONTROL.crowded) > 0) this.#madeRoom = true;
  }

  #proceed(): void {
    this.#madeRoom = false;
    this.#acceptor.proceed();
    if (Atomics.load(this.#shared.control, CONTROL.crowded) === 0) return;
    const { wakers, index } = this.#assignment;
    for (const [other, waker] of wakers.entries()) if (other !== index) raise(waker);
  }

  readonly #timerRanOut = (row: number): void => {
    const connection = this.#connections[row] as Connection;
    if (connection.client === -1) return;
    if (connection.attempt !== null) this.#connector.due(connection, connection.attempt);
    else this.#lookAfter(connection);
  };

  /** Cuts a connection whose time is over, and sets the timer for the next look. */
  #lookAfter(connection: Connection): void {
    const { row } = connection;
    const { idleTimeout, halfCloseTimeout } = this.#assignment;
    const lastByteAt = this.#table.lastByteAt(row);
    const idleAt = lastByteAt + idleTimeout;
    const halfCloseAt = Math.max(lastByteAt, connection.endedAt) + halfCloseTimeout;
    if (this.time >= idleAt) return this.#cut(connection, "idle_timeout");
    if (this.time >= halfCloseAt) return this.#cut(connection, "half_close_timeout");
    if (!connection.isWatched) {
      connection.isWatched = true;
      watchPeer(connection.upstream, this.#assignment);
    }
    this.#timers.set(row, Math.min(idleAt, halfCloseAt));
  }

  /** Does what the main thread asks for. */
  #obey(): void {
    const { control } = this.#shared;
    clear(this.#assignment.wakers[this.#assignment.index] as number);
    const command = Atomics.load(control, CONTROL.command);
    const wasFrozen = this.#mode === FROZEN;
    this.#setMode(Atomics.load(control, CONTROL.mode));
    // While it stays frozen they may be another process's connections already.
    const isServing = this.#mode !== LEAVING && !(wasFrozen && this.#mode === FROZEN);
    if (isServing) this.#obeyWishes();
    if (command === this.#command) return;
    this.#command = command;
    this.#reporting.done = command;
  }

  /** Does what is wished of connections, as far as that is new. */
  #obeyWishes(): void {
    const { control } = this.#shared;
    const version = this.#target.version;
    if (version !== this.#targetVersion) {
      this.#targetVersion = version;
      this.#connector.retarget(this.#target.read(), this.#connections);
    }
    const cuts = Atomics.load(control, CONTROL.cuts);
    if (cuts !== this.#cuts) this.#cutWished(cuts);
    this.#madeRoom = true;
  }

  #setMode(mode: number): void {
    if (mode === this.#mode) return;
    this.#mode = mode;
    if (mode === LEAVING) return this.#letGo();
    if (this.#arrived.length > 0) this.#welcomeArrived();
    if (mode === HOLDING) this.#acceptor.hold();
    else if (mode === OPEN) this.#acceptor.open();
    else if (mode === CLOSING) this.#acceptor.finish();
    else if (mode === FROZEN) this.#acceptor.freeze();
    else {
      this.#acceptor.end();
      for (const connection of this.#connections) this.#cut(connection, "stopped");
    }
  }

  /** Closes its own copies of sockets and pipes that another process goes on with. */
  #letGo(): void {
    for (const connection of this.#connections) {
      const { client, upstream, attempt } = connection;
      if (client === -1) continue;
      connection.end(this.#pipes);
      libc.close(client);
      if (upstream === -1) continue;
      // One that is being connected is connected anew there. Left to the system, it would end as if
      // in peace.
      if (attempt === null) libc.close(upstream);
      else closeWithReset(upstream);
    }
  }

  /** Starts to serve the connections that another process had. */
  #welcomeArrived(): void {
    for (const [row, { deadline }] of this.#arrived.entries()) {
      const connection = this.#connections[row] as Connection;
      const { client, upstream } = connection;
      // Should there be no memory for one of them, the others must not suffer.
      if (!this.#epoll.tryToAdd(client, EVERYTHING, FIRST_ROW + 2 * row)) {
        this.#cut(connection, "client_reset");
      } else if (upstream === -1) {
        this.#connector.start(connection, deadline ?? Infinity);
      } else if (!this.#epoll.tryToAdd(upstream, EVERYTHING, FIRST_ROW + 2 * row + 1)) {
        this.#cut(connection, "upstream_reset");
      } else {
        this.#timers.set(row, this.time);
      }
    }
    this.#arrived = [];
  }

  /** What another process needs to know to go on. */
  get #moved(): NonNullable<Report["frozen"]> {
    const connections: MovedConnection[] = [];
    for (const connection of this.#connections) {
      const { row, client, upstream, up, down, attempt, endedAt } = connection;
      if (client === -1) continue;
      connections.push({
        ...this.#table.moved(row),
        client,
        // One that is being connected is connected anew.
        upstream: attempt === null ? upstream : -1,
        endedAt: endedAt === Infinity ? null : endedAt,
        deadline: attempt === null || attempt.deadline === Infinity ? null : attempt.deadline,
        up: up.moved,
        down: down.moved,
      });
    }
    return { connections, lastId: this.#lastId };
  }

  #cutWished(cuts: number): void {
    this.#cuts = cuts;
    for (const connection of this.#connections) {
      if (connection.client === -1) continue;
      const reason = CLOSE_REASONS[this.#table.wishedCut(connection.row)];
      if (reason !== undefined) this.#cut(connection, reason);
    }
  }

  #tellOpened(row: number): void {
    const connection = this.#table.snapshot(row, this.time, "");
    if (connection !== null) (this.#reporting.opened ??= []).push(connection);
  }

  #tellClosed(row: number, reason: CloseReason): void {
    const connection = this.#table.snapshot(row, this.time, "");
    if (connection !== null) (this.#reporting.closed ??= []).push({ connection, reason });
  }

  get #reporting(): Report {
    return this.#report ??= {};
  }

  #sendReport(): void {
    const report = this.#report as Report;
    this.#report = null;
    this.#tell(report);
  }
}

function count(failures: Failures[], error: number): void {
  const same = failures.find((failure) => failure.error === error);
  if (same === undefined) failures.push({ error, count: 1 });
  else same.count++;
}
