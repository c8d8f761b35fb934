/**
 * The relay for Linux: threads that carry bytes with epoll(7) and splice(2), controlled from here.
 *
 * The kernel queues those who are held. What the threads are to do stands in shared memory; an event
 * counter wakes them, and each says when it has done that.
 *
 * @module
 */

import type { Address } from "../../address.ts";
import { now } from "../../linux/clock.ts";
import { NO_COUNTERS, sumOf } from "../counters.ts";
import { probe } from "../probe.ts";
import {
  CLOSE_REASONS,
  type CloseReason,
  type Connection,
  type ConnectionOrder,
  type Counters,
  type LettingGo,
  type ListenAt,
  type Relay,
  type RelayEvents,
  type RelayOptions,
  type Released,
  WAIT_FOR_ALL,
} from "../relay.ts";
import { isItself, type Listening } from "../unusable.ts";
import { Upstream } from "../upstream.ts";
import { capacity, heldAtMost } from "./capacity.ts";
import { Crew } from "./crew.ts";
import { Gate } from "./gate.ts";
import { Hearing } from "./hearing.ts";
import { checkListening, Listeners, socketsOf } from "./listeners.ts";
import { openListeners } from "./listening.ts";
import { type Foundation, type MovedRelay, NOTHING_MOVED } from "./moved.ts";
import { Moving } from "./moving.ts";
import { CLOSING, CONTROL, ENDING, FROZEN, HOLDING, LEAVING, SharedMemory } from "./shared.ts";
import { resetLeft } from "./left.ts";
import { elsewhere, list } from "./overview.ts";
import type { Table } from "./table.ts";
import { TargetWriter, whyUnusable } from "./upstream.ts";
import { startWorkers } from "./workers.ts";

/** A relay on epoll. */
export class EpollRelay implements Relay {
  readonly kind = "epoll";
  readonly threads: number;
  readonly listensAt: readonly Listening[];
  readonly maxConnections: number;
  readonly #events: RelayEvents;
  readonly #options: RelayOptions;
  readonly #listeners: Listeners;
  /** Whether another process, that started this one, has the listening sockets as well. */
  readonly isInherited: boolean;
  readonly #shared = new SharedMemory();
  readonly #upstream: Upstream;
  readonly #target = new TargetWriter();
  /** Its connections, when they are on their way to or from another process. */
  readonly moving: Moving;
  readonly #crew: Crew;
  readonly #gate: Gate;
  /** What was counted by the process before this one. */
  #before = NO_COUNTERS;
  /** How many sockets of clients and services there may be. */
  readonly #descriptors: number;
  readonly #startedAt = now();
  /** What it was doing before it was frozen. */
  #modeBefore = HOLDING;
  /** Whether what it has is certainly its own: what another process still may have is not touched. */
  #isCommitted = false;
  #isOver = false;

  /** @param workers as many as there are to be threads */
  private constructor(
    foundation: Foundation,
    options: RelayOptions,
    events: RelayEvents,
    workers: readonly Worker[],
  ) {
    const { listeners, isInherited, expected } = foundation;
    const { maxConnecting, abortOnClose, acceptProxy, sendProxy, keepAlive, userTimeout } = options;
    this.#listeners = new Listeners(listeners);
    this.isInherited = isInherited;
    this.#events = events;
    this.listensAt = this.#listeners.at;
    this.threads = options.threads;
    const room = capacity(options.maxConnections, options.threads);
    this.maxConnections = room.connections;
    this.#descriptors = room.descriptors;
    this.#options = options;
    this.#upstream = new Upstream(options.upstream, {
      isItself: (address) => this.listensAt.some((one) => isItself(address, one)),
      changed: () => this.#writeTarget(),
    });
    this.#target.write(this.#upstream);
    const rows = Math.max(room.descriptors, 2 * expected);
    const hearing = new Hearing(events, this.#upstream, this.#target);
    this.#crew = new Crew(workers, rows, this.#shared, {
      heard: (report) => hearing.hear(report),
      broke: (error, table) => this.#break(error, table),
    });
    this.moving = new Moving(this.#crew, this.#upstream, this.#shared, foundation);
    this.#gate = new Gate(this.#shared, this.#crew, this.#listeners);
    this.#crew.assign({
      listeners,
      target: this.#target.memory.buffer,
      maxConnections: room.connections,
      descriptors: room.descriptors,
      ...{ maxConnecting, abortOnClose, acceptProxy, sendProxy, keepAlive, userTimeout },
      maxPipes: room.pipes,
      connectTimeout: options.connectTimeout ?? Infinity,
      idleTimeout: options.idleTimeout ?? Infinity,
      halfCloseTimeout: options.halfCloseTimeout ?? Infinity,
      tellEach: events.opened !== undefined || events.closed !== undefined,
    });
  }

  /**
   * Starts to listen; nobody is served until {@linkcode open}.
   *
   * @throws {SystemError} when the address cannot be had
   */
  static async listen(
    at: ListenAt,
    options: RelayOptions,
    events: RelayEvents,
    workers?: readonly Worker[],
  ): Promise<EpollRelay> {
    const moved = { ...NOTHING_MOVED, ...await openListeners(at) };
    const relay = await EpollRelay.takeOver(moved, options, events, workers);
    await relay.thaw();
    return relay;
  }

  /**
   * Takes over from another process, but touches nothing before {@linkcode thaw}; from then on it
   * carries what it was given, and holds new clients.
   *
   * @param moved what {@linkcode freeze} gave there, with the descriptors of this process
   * @param workers of {@linkcode startWorkers}, for those who cannot wait for that now
   */
  static async takeOver(
    moved: MovedRelay,
    options: RelayOptions,
    events: RelayEvents,
    workers?: readonly Worker[],
  ): Promise<EpollRelay> {
    workers ??= await startWorkers(options.threads);
    const relay = EpollRelay.found(moved, options, events, workers);
    await relay.complete(moved);
    return relay;
  }

  /** As {@linkcode takeOver}, but is told of connections ahead, and later {@linkcode complete}d. */
  static found(
    foundation: Foundation,
    options: RelayOptions,
    events: RelayEvents,
    workers: readonly Worker[],
  ): EpollRelay {
    checkListening(foundation.listeners);
    return new EpollRelay(foundation, options, events, workers);
  }

  /** Is told of all that is left. @throws {Error} when that does not go with what was told before */
  async complete(moved: MovedRelay): Promise<void> {
    this.#before = moved.counters;
    this.#shared.arrivals = moved.arrivals;
    this.moving.take(moved);
    await this.#crew.begin(moved.lastId);
  }

  /**
   * Touches nothing any more, so that another process can go on with what it is given, and perhaps was
   * told ahead.
   *
   * @throws when the relay has broken
   */
  async freeze(isToldAhead = false): Promise<MovedRelay> {
    if (!isToldAhead) this.moving.forget();
    this.#modeBefore = Atomics.load(this.#shared.control, CONTROL.mode);
    await this.#crew.command(FROZEN);
    if (this.#isOver) throw new Error("the relay has ended");
    const { counters, moving: { foundation, rest } } = this;
    return { ...foundation, ...rest, counters, arrivals: this.#shared.arrivals };
  }

  /** Goes on as before {@linkcode freeze}, or begins with what was taken over. */
  async thaw(): Promise<void> {
    this.moving.forget();
    if (!this.#isCommitted) {
      this.#isCommitted = true;
      this.#listeners.adopt(this.#options.userTimeout);
    }
    if (this.#modeBefore === HOLDING) await this.#gate.close();
    else await this.#crew.command(this.#modeBefore);
  }

  /**
   * Leaves everything to the process that has taken over: nothing that this one still has keeps a
   * connection or the queue alive.
   */
  async leave(): Promise<void> {
    if (!this.#isOver) await this.#letGo();
  }

  get listen(): Address {
    return this.listensAt[0] as Address;
  }

  /** Where each listening socket listens, `HOST:PORT`, and its cookie. */
  get sockets(): { listen: string; cookie: string }[] {
    return socketsOf(this.#listeners.descriptors);
  }

  get upstream(): Address {
    return this.#upstream.address;
  }

  get active(): number {
    return Atomics.load(this.#shared.control, CONTROL.active);
  }

  get idleFor(): number {
    if (this.active > 0) return 0;
    const last = this.#crew.tables.map(({ lastActiveAt }) => lastActiveAt);
    return now() - Math.max(this.#startedAt, ...last);
  }

  get queued(): number {
    return Atomics.load(this.#shared.control, CONTROL.waiting) + this.#listeners.queued;
  }

  get suspended(): number {
    return Atomics.load(this.#shared.control, CONTROL.suspended);
  }

  get longestHold(): number {
    return this.#gate.longestHold;
  }

  get queueLimit(): number | null {
    return heldAtMost(this.#listeners.limit, this.#descriptors, this.#options.maxConnecting);
  }

  get elsewhere(): number {
    return elsewhere(this.#crew.tables, this.#upstream.number);
  }

  get counters(): Counters {
    return sumOf([this.#before, ...this.#crew.counters]);
  }

  async hold(lettingGo: LettingGo = WAIT_FOR_ALL): Promise<void> {
    if (this.#listeners.isOpen) await this.#gate.hold(lettingGo);
  }

  async open(): Promise<Released> {
    await this.#upstream.settle();
    return this.#listeners.isOpen ? await this.#gate.open() : { held: 0, longest: 0 };
  }

  retarget(upstream: Address, suspendQuiet: number | null = null): void {
    this.#shared.retargetQuiet = suspendQuiet ?? Infinity;
    this.#upstream.address = upstream;
    this.#crew.wake();
  }

  whyUnusable(upstream: Address): Promise<string | null> {
    return whyUnusable(upstream, this.listensAt);
  }

  probe(timeout: number): Promise<boolean> {
    return probe(this.#upstream, timeout);
  }

  connections(most = Infinity, order: ConnectionOrder = "age"): Iterable<Connection> {
    return this.#list(most, order, false);
  }

  held(most = Infinity, order: ConnectionOrder = "age"): Iterable<Connection> {
    return this.#list(most, order, true);
  }

  #list(most: number, order: ConnectionOrder, held: boolean): Iterable<Connection> {
    const [target, { quiet }] = [this.#upstream.name, this.#shared];
    return list(this.#crew.tables, { most, order, held, target, quiet });
  }

  close(id: number, reason: CloseReason): boolean {
    const index = CLOSE_REASONS.indexOf(reason);
    if (!this.#crew.tables.some((table) => table.wishCut(id, index))) return false;
    Atomics.add(this.#shared.control, CONTROL.cuts, 1);
    this.#crew.wake();
    return true;
  }

  closeIdle(idle: number, reason: CloseReason): Promise<Connection[]> {
    return this.#crew.cutIdle(idle, CLOSE_REASONS.indexOf(reason));
  }

  async stopListening(): Promise<number> {
    if (!this.#listeners.isOpen) return 0;
    const isHolding = Atomics.load(this.#shared.control, CONTROL.mode) === HOLDING;
    const here = Atomics.load(this.#shared.control, CONTROL.waiting) + this.suspended;
    await this.#crew.command(CLOSING);
    // Whoever passed the socket on keeps those who are in its queue.
    const inQueue = this.isInherited ? 0 : this.#listeners.queued;
    this.#listeners.close();
    return isHolding ? here + inQueue : inQueue;
  }

  async shutDown(): Promise<void> {
    if (this.#isOver) return;
    this.#isOver = true;
    await this.#crew.dismiss(ENDING);
    this.#listeners.close();
    this.#crew.close();
  }

  async #letGo(): Promise<void> {
    this.#isOver = true;
    const gone = this.#crew.dismiss(LEAVING);
    this.#listeners.close();
    await gone;
    this.#crew.close();
  }

  #writeTarget(): void {
    if (this.#target.write(this.#upstream)) this.#crew.wake();
  }

  /**
   * Resets everything, so that nobody waits for what will never come; or, of what another process
   * still has, nothing.
   */
  #break(error: Error, table: Table): void {
    if (this.#isOver) return;
    this.#isOver = true;
    if (!this.#isCommitted) {
      void this.#letGo();
      return;
    }
    void this.#crew.dismiss(ENDING);
    this.#listeners.close();
    resetLeft(table, this.#shared);
    this.#events.broken(error);
  }
}
