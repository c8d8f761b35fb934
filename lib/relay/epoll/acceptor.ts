/**
 * The listening sockets, as one of the threads uses them.
 *
 * While it is held, clients wait in the kernel's queue until that is half full; from then on they are
 * taken from there and held here, so that as many can wait as there are descriptors for. One of the
 * threads notes when they come, so that it can be said how long they waited.
 *
 * @module
 */

import { type Epoll, EPOLLET, EPOLLEXCLUSIVE, EPOLLIN } from "../../linux/epoll.ts";
import { errno, isLack } from "../../linux/errno.ts";
import { reservedToConnect } from "./capacity.ts";
import type { Listeners } from "./listeners.ts";
import { CLOSING, CONTROL, FROZEN, HOLDING, OPEN, type SharedMemory } from "./shared.ts";

/** How many clients are accepted at once when many come. */
const LONGEST_BURST = 64;

/** How long to wait when the system has no more descriptors or ports, in milliseconds. */
const PAUSE = 1000;

/** What an acceptor needs of its thread. */
export interface AcceptorContext {
  /** The time of this turn of the loop, and its number. */
  readonly time: number;
  readonly turn: number;
  /**
   * A client is to be served, and has a place.
   *
   * @param peer its address as the kernel has it, to be copied
   * @param heldSince since when it was queued while that was held; `null` if it was not
   */
  accepted(client: number, peer: Uint8Array, heldSince: number | null): void;
  /** A client is to be held, and served later. */
  held(client: number, peer: Uint8Array, heldSince: number): void;
  /** There is no room for more. @param error why, as a number; 0 for the limit for connections */
  full(error: number): void;
  queueFilling(queued: number, most: number): void;
}

/** How an {@linkcode Acceptor} is made. */
export interface AcceptorParts {
  readonly context: AcceptorContext;
  readonly shared: SharedMemory;
  readonly epoll: Epoll;
  /** The listening sockets, and the number with which their events come. */
  readonly listeners: Listeners;
  readonly data: number;
  readonly maxConnections: number;
  /** How many sockets of clients and services there may be, in all threads. */
  readonly descriptors: number;
  /** How many held clients may be on their way to the service at once, in all threads. */
  readonly maxConnecting: number;
  /** Whether clients may be held that come while others are served. */
  readonly mayBeHeld: boolean;
  /** Whether it is this thread that notes when clients come to the queue. */
  readonly isMonitor: boolean;
}

/** Accepts clients for one thread, while there is room. */
export class Acceptor {
  /** When to try again though nobody made room, on the clock. */
  retryAt = Infinity;
  readonly #parts: AcceptorParts;
  #mode = FROZEN;
  #watches = false;
  /** Whether this thread has said that it waits for room. */
  #isCrowded = false;
  #burst = 1;
  #lastTurn = 0;
  #toldFilling = false;
  /** How many sockets are left for those who are held to be connected with. */
  readonly #reserve: number;

  constructor(parts: AcceptorParts) {
    this.#parts = parts;
    this.#reserve = reservedToConnect(parts.descriptors, parts.maxConnecting);
  }

  /** Touches nothing. */
  freeze(): void {
    this.#rest();
    this.#mode = FROZEN;
  }

  /** Accepts nobody from now on. */
  hold(): void {
    this.#rest();
    this.#mode = HOLDING;
    this.#toldFilling = false;
  }

  /** While it holds, takes clients from the queue if that is too full: nobody is accepted otherwise. */
  take(): void {
    if (this.#mode !== HOLDING || this.#watches) return;
    // Of those who came before this one is told at once.
    this.#watch(EPOLLIN | EPOLLET);
  }

  /** Accepts clients. */
  open(): void {
    this.#rest();
    this.#mode = OPEN;
    this.#watch(EPOLLIN | EPOLLEXCLUSIVE);
  }

  /** Takes everybody who is queued, as far as there can be so many, and listens no more. */
  finish(): void {
    this.#rest();
    if (this.#mode === HOLDING) return;
    this.#mode = CLOSING;
    const { context, listeners, shared } = this.#parts;
    while (this.#hasRow) {
      const client = listeners.accept();
      if (client < 0) return;
      if (this.reserve()) this.#serve(client);
      else context.held(client, listeners.peer, shared.takeFirst(context.time) ?? context.time);
    }
  }

  /** Waits for nothing any more. */
  end(): void {
    this.#rest();
  }

  /** Something happened to the listening socket. */
  notice(): void {
    const { context, listeners } = this.#parts;
    if (this.#mode === HOLDING) return this.#lookAtQueue();
    if (!this.#watches) return;
    // Who was told of clients twice in a row takes several at once.
    this.#burst = context.turn === this.#lastTurn + 1
      ? Math.min(2 * this.#burst, LONGEST_BURST)
      : 1;
    this.#lastTurn = context.turn;
    for (let count = 0; count < this.#burst; count++) {
      if (this.#isAfterOthers) {
        this.#wait();
        return this.proceed();
      }
      if (!this.#hasRoomForNewcomer || !this.reserve()) {
        this.waitForRoom(0);
        // Another thread may have made room before it could know that somebody waits for that.
        return this.proceed();
      }
      const client = listeners.accept();
      if (client < 0) {
        this.giveBack();
        this.#lastTurn = 0;
        return this.#acceptFailed();
      }
      this.#serve(client);
      if (!this.#watches) return;
    }
  }

  /** The system has no more of something that it takes to serve a client. @param error its number */
  lack(error: number): void {
    this.retryAt = this.#parts.context.time + PAUSE;
    this.waitForRoom(error);
  }

  /**
   * Whether it is time to try again. It is said once: who cannot go on then, because enough are on
   * their way to the service, must not be asked again and again.
   */
  takeRetry(): boolean {
    if (this.#parts.context.time < this.retryAt) return false;
    this.retryAt = Infinity;
    return true;
  }

  /** There is no room for more. @param error why, as a number; 0 for the limit for connections */
  waitForRoom(error: number): void {
    this.#wait();
    this.#parts.context.full(error);
  }

  /** Goes on if there is room again. */
  proceed(): void {
    if (!this.#isCrowded) return;
    this.retryAt = Infinity;
    if (this.#mode === OPEN) {
      if (!this.#hasRoomForNewcomer || this.#isAfterOthers) return;
      this.#watch(EPOLLIN | EPOLLEXCLUSIVE);
      if (!this.#watches) return;
    }
    this.#setCrowded(false);
    // A queue that is full tells of nobody any more.
    if (this.#mode === HOLDING) this.#takeFromQueue();
  }

  /** Takes a place for one more active connection, if there is one. */
  reserve(): boolean {
    const taken = Atomics.add(this.#parts.shared.control, CONTROL.taken, 1);
    if (this.#hasRoomBeside(taken)) return true;
    this.giveBack();
    return false;
  }

  /** Gives a place back. */
  giveBack(): void {
    Atomics.sub(this.#parts.shared.control, CONTROL.taken, 1);
  }

  /** Whether there is room for one more, who may have to be held: then there must be some besides. */
  get #hasRoomForNewcomer(): boolean {
    const { shared, mayBeHeld } = this.#parts;
    const taken = Atomics.load(shared.control, CONTROL.taken);
    if (!this.#hasRoomBeside(taken)) return false;
    return !mayBeHeld || this.#descriptorsLeft(taken) > this.#reserve;
  }

  /** Whether there is room for one more active connection, while so many places are taken. */
  #hasRoomBeside(taken: number): boolean {
    return taken < this.#parts.maxConnections && this.#descriptorsLeft(taken) >= 2;
  }

  /** How many sockets more there may be, while so many places are taken. */
  #descriptorsLeft(taken: number): number {
    return this.#parts.descriptors - 2 * taken - this.#held;
  }

  /** Whether there is a row for one more client: a table has one for each socket that there may be. */
  get #hasRow(): boolean {
    const { shared: { control }, descriptors } = this.#parts;
    return Atomics.load(control, CONTROL.taken) + this.#held < descriptors;
  }

  /** How many clients are held here. */
  get #held(): number {
    const { control } = this.#parts.shared;
    return Atomics.load(control, CONTROL.waiting) + Atomics.load(control, CONTROL.suspended);
  }

  /**
   * Whether the next of the queue came after others who are still to be served: also when another
   * thread holds these again already, and this one has not heard of that yet.
   */
  get #isAfterOthers(): boolean {
    const { shared } = this.#parts;
    const others = Atomics.load(shared.control, CONTROL.line) > 0 ||
      Atomics.load(shared.control, CONTROL.mode) === HOLDING;
    return others && !shared.nextIsHeld;
  }

  #serve(client: number): void {
    const { context, listeners, shared } = this.#parts;
    context.accepted(client, listeners.peer, shared.takeFirst(context.time));
  }

  #acceptFailed(): void {
    const error = errno();
    // Anything else is the fault of one client, who is gone.
    if (isLack(error)) this.lack(error);
  }

  #wait(): void {
    this.#unwatch();
    this.#setCrowded(true);
  }

  #setCrowded(crowded: boolean): void {
    if (crowded === this.#isCrowded) return;
    this.#isCrowded = crowded;
    Atomics.add(this.#parts.shared.control, CONTROL.crowded, crowded ? 1 : -1);
  }

  #lookAtQueue(): void {
    const { context, isMonitor, shared, listeners } = this.#parts;
    if (isMonitor) shared.noteArrivals(listeners.queued, context.time);
    this.#takeFromQueue();
    if (!isMonitor || this.#toldFilling) return;
    const { fullest } = listeners;
    // Not every kernel says what the limit is.
    if (fullest === null || fullest.limit === 0 || fullest.length < 3 / 4 * fullest.limit) return;
    this.#toldFilling = true;
    context.queueFilling(fullest.length, fullest.limit);
  }

  /** Takes those from the queue who make it more than half full, as far as there are descriptors. */
  #takeFromQueue(): void {
    const { context, listeners, shared } = this.#parts;
    if (Atomics.load(shared.control, CONTROL.takes) === 0) return;
    while (listeners.isTooFull) {
      const taken = Atomics.load(shared.control, CONTROL.taken);
      if (this.#descriptorsLeft(taken) <= this.#reserve) return this.#setCrowded(true);
      const client = listeners.accept();
      if (client < 0) return;
      context.held(client, listeners.peer, shared.takeFirst(context.time) ?? context.time);
    }
  }

  /** Waits for nothing: neither for clients, nor for room or a time to accept them. */
  #rest(): void {
    this.#unwatch();
    this.#setCrowded(false);
    this.retryAt = Infinity;
  }

  #watch(events: number): void {
    const { epoll, listeners, data } = this.#parts;
    this.#watches = listeners.watch(epoll, events, data);
    // Who holds can do without.
    if (!this.#watches && this.#mode === OPEN) this.lack(errno());
  }

  #unwatch(): void {
    if (this.#watches) this.#parts.listeners.unwatch(this.#parts.epoll);
    this.#watches = false;
  }
}
