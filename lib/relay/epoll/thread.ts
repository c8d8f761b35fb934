/**
 * One of the threads that carry bytes: an event loop over its connections, which does what the main
 * thread asks for.
 *
 * @module
 */

import { now } from "../../linux/clock.ts";
import { Epoll, EPOLLIN } from "../../linux/epoll.ts";
import { EINTR, errno, SystemError } from "../../linux/errno.ts";
import { clear, raise } from "../../linux/event_counter.ts";
import { Acceptor } from "./acceptor.ts";
import { Arriving } from "./arriving.ts";
import type { Connection } from "./connection.ts";
import { Connections } from "./connections.ts";
import { Connector } from "./connector.ts";
import { Copying } from "./copying.ts";
import { Headers } from "./headers.ts";
import { HeldClients } from "./held.ts";
import { Holding } from "./holding.ts";
import { letGo } from "./let_go.ts";
import { Listeners } from "./listeners.ts";
import type { Assignment, Report } from "./messages.ts";
import type { Told } from "./moved.ts";
import { Pace } from "./pace.ts";
import { Pipes } from "./pipes.ts";
import { Reporting } from "./reporting.ts";
import { Serving } from "./serving.ts";
import {
  CLOSING,
  CONTROL,
  ENDING,
  FROZEN,
  HOLDING,
  LEAVING,
  OPEN,
  SERVING_HELD,
  SharedMemory,
} from "./shared.ts";
import { SharedSockets } from "./shared_sockets.ts";
import { Table } from "./table.ts";
import { TargetMemory } from "./target.ts";
import { Timers } from "./timers.ts";
import { Turn } from "./turn.ts";
import { Wishes } from "./wishes.ts";

/** How many events are taken at once. */
const EVENTS = 256;

/** With which numbers events come: two fixed ones, then two for each row. */
const WAKER = 0;
const LISTENER = 1;
const FIRST_ROW = 2;

/** A thread. */
export class Thread {
  readonly #assignment: Assignment;
  readonly #turn = new Turn();
  readonly #reporting: Reporting;
  readonly #shared: SharedMemory;
  readonly #table: Table;
  readonly #epoll = new Epoll(EVENTS);
  /** While it is frozen it only waits for its waker: no event of a connection may be lost. */
  readonly #frozenEpoll = new Epoll(1);
  readonly #timers: Timers;
  readonly #pipes: Pipes;
  readonly #headers: Headers;
  readonly #pace: Pace;
  readonly #connections: Connections;
  readonly #acceptor: Acceptor;
  readonly #connector: Connector;
  readonly #holding: Holding;
  readonly #serving: Serving;
  readonly #wishes: Wishes;
  readonly #arriving: Arriving;
  readonly #copying: Copying;
  #mode = FROZEN;
  #command = 0;
  /** Whether another thread says that a connection ended while somebody waits for room. */
  #heardOfRoom = false;

  /** @param tell sends a report to the main thread */
  constructor(assignment: Assignment, tell: (report: Report) => void) {
    this.#assignment = assignment;
    this.#shared = new SharedMemory(assignment.shared);
    const { index, threads, wakers, listeners, tellEach } = assignment;
    const { maxConnections, maxConnecting, descriptors, connectTimeout } = assignment;
    const [shared, epoll, turn] = [this.#shared, this.#epoll, this.#turn];
    const table = this.#table = new Table(assignment.table);
    const timers = this.#timers = new Timers();
    const pipes = this.#pipes = new Pipes(assignment.maxPipes);
    const reporting = this.#reporting = new Reporting(tell);
    const pace = this.#pace = new Pace(Math.max(1, Math.floor(maxConnecting / threads)));
    const [held, sharedSockets] = [new HeldClients(shared), new SharedSockets(epoll)];
    const headers = this.#headers = new Headers(assignment.acceptProxy, assignment.sendProxy);
    const target = new TargetMemory(assignment.target);
    const { version } = target;
    const connections = this.#connections = new Connections({
      ...{ turn, shared, table, timers, pipes, headers, held, pace, reporting, sharedSockets },
      ...{ tellEach, threads },
    });
    const connector = this.#connector = new Connector(this, target.read(), connectTimeout);
    const acceptor = this.#acceptor = new Acceptor({
      context: this,
      shared,
      epoll,
      listeners: new Listeners(listeners),
      data: LISTENER,
      ...{ maxConnections, maxConnecting, descriptors },
      mayBeHeld: headers.areExpected,
      isMonitor: index === 0,
    });
    const common = { turn, assignment, table, timers, headers, pace, connections };
    this.#holding = new Holding({ ...common, held, reporting }, connector, acceptor);
    const servingParts = { ...common, epoll, pipes, firstRow: FIRST_ROW };
    const serving = this.#serving = new Serving(servingParts, connector, this.#holding);
    this.#wishes = new Wishes({ shared, target, connections, connector, serving }, version);
    for (const epoll of [this.#epoll, this.#frozenEpoll]) {
      epoll.add(wakers[index] as number, EPOLLIN, WAKER);
    }
    this.#arriving = new Arriving(connections, this.#holding, serving);
    this.#copying = new Copying(connections, table, serving, sharedSockets);
  }

  /** The time of this turn of the loop, and its number. */
  get time(): number {
    return this.#turn.time;
  }

  get turn(): number {
    return this.#turn.number;
  }

  /** Whether those who wait for room are to be served. */
  get #servesWaiting(): boolean {
    return this.#mode === OPEN || this.#mode === CLOSING;
  }

  /** Is told of connections that another process has, or had. */
  take(told: Told<number>): void {
    this.#arriving.take(told, this.#reporting);
  }

  /** Serves until the main thread wants an end. @param lastId the last that a connection has had */
  run(lastId: number): void {
    const { index, threads } = this.#assignment;
    this.#connections.lastId = lastId + index + 1 - threads;
    this.#arriving.count(this.#shared);
    this.#reporting.report.ready = true;
    this.#reporting.send();
    while (this.#mode !== ENDING && this.#mode !== LEAVING) {
      // Events of connections wait in their own epoll instance: none is lost while it is frozen.
      if (this.#mode !== FROZEN) this.#takeTurn();
      else if (this.#wait(this.#frozenEpoll, -1) > 0) this.#obey();
      this.#reporting.send();
    }
    this.#copying.end();
    this.#pipes.close();
    this.#epoll.close();
    this.#frozenEpoll.close();
    this.#reporting.report.ended = true;
    this.#reporting.send();
  }

  /** A client was accepted, and has a place. */
  accepted(client: number, peer: Uint8Array, heldSince: number | null): void {
    const mayCome = heldSince === null || this.#holding.isLineEmpty && this.#pace.hasRoom;
    if (!mayCome || this.#headers.isExpectedFrom(peer)) {
      this.#acceptor.giveBack();
      return this.held(client, peer, heldSince);
    }
    const connection = this.#connections.begin(client, peer);
    if (heldSince !== null) {
      if (this.#holding.hasLeft(connection)) return;
      this.#reporting.released(this.time - heldSince);
      this.#pace.begin(connection);
    }
    this.#connector.start(connection);
    if (connection.client === -1) return;
    // The system has no memory, or no patience, for one more.
    if (this.#serving.watchClient(connection)) return;
    this.#connections.cut(connection, "client_reset");
  }

  /** A client is to be held here: one that was held in the queue, or that begins with a header. */
  held(client: number, peer: Uint8Array, heldSince: number | null): void {
    const connection = this.#connections.beginHeld(client, peer);
    this.#holding.add(connection, heldSince ?? this.time, heldSince === null);
    if (this.#serving.watchClient(connection)) return;
    this.#connections.cut(connection, "client_reset");
  }

  /** There is no room for more clients. */
  full(error: number): void {
    this.#connections.full(error);
  }

  /** The kernel's queue is nearly full. */
  queueFilling(queued: number, most: number): void {
    this.#reporting.report.queueFilling = { queued, most };
  }

  /** There is a socket that is being connected to the service. */
  watchUpstream(connection: Connection): boolean {
    return this.#serving.watchUpstream(connection);
  }

  /** There is none any more: should this thread die, nobody else's socket is closed in its place. */
  forgetUpstream({ row }: Connection): void {
    this.#table.setUpstream(row, -1);
  }

  /** Sets a connection's timer. */
  setTimer({ row }: Connection, time: number): void {
    this.#timers.set(row, time);
  }

  /** No address of the service could be connected. */
  roundFailed(error: number): void {
    this.#table.countConnectFailure();
    this.#reporting.roundFailed(error);
  }

  /** The system has no more of what it takes to connect it: it is held until there is room. */
  lacks(connection: Connection, error: number): void {
    if (connection.heldSince === null) this.#holding.hold(connection);
    // While it holds, nothing is tried again, whatever there is room for.
    if (this.#servesWaiting) this.#acceptor.lack(error);
  }

  /** The service could not be reached for as long as a client may wait. */
  gaveUp(connection: Connection, error: number): void {
    this.#reporting.gaveUp(error);
    this.#connections.cut(connection, "upstream_unreachable");
  }

  /** Waits for events, and does what is to be done. */
  #takeTurn(): void {
    const { hindsight } = this.#turn;
    hindsight.ask(this.#turn.time, FIRST_ROW + 2 * this.#connections.rows);
    const count = this.#wait(this.#epoll, this.#patience());
    for (let index = 0; index < count; index++) {
      this.#handle(this.#epoll.dataAt(index), this.#epoll.eventsAt(index));
    }
    this.#serving.continueUnfinished();
    const time = now();
    if (this.#turn.stoodStill(time)) this.#connections.catchUp(time);
    hindsight.handled(count, EVENTS);
    this.#timers.fire(hindsight.asOf, this.#serving.timerRanOut);
    if (hindsight.asOf >= this.#wishes.cutsIdleSince) this.#cutIdle();
    const mayProceed = this.#connections.madeRoom || this.#heardOfRoom;
    if (this.#acceptor.takeRetry() || mayProceed) this.#proceed();
    if (this.#mode === FROZEN) this.#reporting.report.frozen = this.#copying.rest(this.#shared);
    else if (this.#copying.isOn) this.#reporting.report.copied = this.#copying.goOn();
  }

  #wait(epoll: Epoll, patience: number): number {
    const count = epoll.wait(patience);
    if (count < 0 && errno() !== EINTR) throw new SystemError("epoll_wait");
    this.#turn.time = now();
    this.#turn.number++;
    return count;
  }

  #patience(): number {
    if (this.#serving.hasUnfinished || this.#copying.isOn || this.#wishes.isCutting) return 0;
    const { retryAt } = this.#acceptor;
    const patience = this.#timers.patience(this.#turn.time);
    if (retryAt === Infinity) return patience;
    const pause = Math.max(0, Math.ceil(retryAt - this.#turn.time));
    return patience < 0 ? pause : Math.min(pause, patience);
  }

  #handle(data: number, events: number): void {
    if (data === WAKER) this.#obey();
    else if (data === LISTENER) this.#acceptor.notice();
    else this.#serving.handle(data, events);
  }

  #proceed(): void {
    const { madeRoom } = this.#connections;
    this.#connections.madeRoom = this.#heardOfRoom = false;
    if (this.#servesWaiting) this.#holding.serve();
    if (this.#holding.isLineEmpty) this.#acceptor.proceed();
    // Who only heard of it passes nothing on: threads that wait would wake each other for ever.
    if (!madeRoom || Atomics.load(this.#shared.control, CONTROL.crowded) === 0) return;
    const { wakers, index } = this.#assignment;
    for (const [other, waker] of wakers.entries()) if (other !== index) raise(waker);
  }

  /** Does what the main thread asks for. */
  #obey(): void {
    const { control } = this.#shared;
    clear(this.#assignment.wakers[this.#assignment.index] as number);
    const command = Atomics.load(control, CONTROL.command);
    const wasFrozen = this.#mode === FROZEN;
    this.#setMode(Atomics.load(control, CONTROL.mode));
    if (wasFrozen && this.#mode !== FROZEN) this.#turn.thawed();
    // While it stays frozen they may be another process's connections already.
    const isServing = this.#mode !== LEAVING && !(wasFrozen && this.#mode === FROZEN);
    if (isServing) {
      this.#wishes.obey(this.#mode, this.#turn.time);
      this.#copying.obey(this.#shared);
      this.#heardOfRoom = true;
      if (Atomics.load(control, CONTROL.takes) !== 0) this.#acceptor.take();
    }
    if (command === this.#command) return;
    this.#command = command;
    if (!this.#wishes.isCutting) this.#reporting.report.done = command;
  }

  #setMode(mode: number): void {
    if (mode === this.#mode) return;
    const wasHolding = this.#mode === HOLDING;
    this.#mode = mode;
    if (mode === LEAVING) return letGo(this.#connections, this.#pipes);
    if (mode !== ENDING) this.#arriving.goOn();
    if (mode === HOLDING) {
      this.#acceptor.hold();
      this.#holding.begin();
    } else if (mode === SERVING_HELD) {
      this.#holding.end();
      this.#holding.serve();
    } else if (mode === OPEN) {
      this.#holding.end();
      this.#acceptor.open();
      this.#holding.serve();
    } else if (mode === CLOSING) {
      // Held by somebody who wants them held, and who will not be there to let them go.
      if (wasHolding) this.#holding.cut();
      this.#holding.end();
      this.#holding.dismiss();
      this.#acceptor.finish();
    } else if (mode === FROZEN) {
      this.#acceptor.freeze();
    } else {
      this.#arriving.abandon();
      this.#acceptor.end();
      for (const connection of this.#connections) this.#connections.cut(connection, "stopped");
    }
  }

  /** Cuts those that have been idle for as long as the main thread said, and tells it who they were. */
  #cutIdle(): void {
    this.#reporting.report.cutIdle = this.#wishes.cutIdle();
    this.#reporting.report.done = this.#command;
  }
}
