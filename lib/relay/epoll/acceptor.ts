/**
 * The listening socket, as one of the threads uses it.
 *
 * While it is held, nobody is accepted and clients wait in the kernel's queue. One of the threads
 * then notes when they come, so that it can be said how long they waited.
 *
 * @module
 */

import { type Epoll, EPOLLET, EPOLLEXCLUSIVE, EPOLLIN } from "../../linux/epoll.ts";
import { EMFILE, ENFILE, ENOBUFS, ENOMEM, errno } from "../../linux/errno.ts";
import { libc } from "../../linux/libc.ts";
import { closeWithReset, SOCK_CLOEXEC, SOCK_NONBLOCK } from "../../linux/socket.ts";
import { LARGEST } from "../../linux/socket_address.ts";
import { queueOf } from "../../linux/tcp_info.ts";
import { CLOSING, CONTROL, FROZEN, HOLDING, OPEN, type SharedMemory } from "./shared.ts";

/** How many clients are accepted at once when many come. */
const LONGEST_BURST = 64;

/** How long to wait for descriptors when the system has no more, in milliseconds. */
const PAUSE_WITHOUT_DESCRIPTORS = 1000;

const FLAGS = SOCK_NONBLOCK | SOCK_CLOEXEC;

/** What an acceptor needs of its thread. */
export interface AcceptorContext {
  /** The time of this turn of the loop, and its number. */
  readonly time: number;
  readonly turn: number;
  /**
   * A client is to be served.
   *
   * @param peer its address as the kernel has it, to be copied
   * @param wasHeld whether it was queued while that was held
   */
  accepted(client: number, peer: Uint8Array, wasHeld: boolean): void;
  /** A client who was held is being accepted, after so many milliseconds. */
  released(held: number): void;
  /** There is no room for more. */
  full(): void;
  queueFilling(queued: number, most: number): void;
}

/** How an {@linkcode Acceptor} is made. */
export interface AcceptorParts {
  readonly context: AcceptorContext;
  readonly shared: SharedMemory;
  readonly epoll: Epoll;
  /** The listening socket, and the number with which its events come. */
  readonly listener: number;
  readonly data: number;
  readonly maxConnections: number;
  /** Whether it is this thread that notes when clients come to the queue. */
  readonly isMonitor: boolean;
}

interface Waiting {
  readonly client: number;
  readonly peer: Uint8Array;
}

/** Accepts clients for one thread, while there is room. */
export class Acceptor {
  /** When to try again though nobody made room, on the clock. */
  retryAt = Infinity;
  readonly #parts: AcceptorParts;
  readonly #name = new Uint8Array(LARGEST);
  readonly #length = new Uint32Array(1);
  readonly #lengthBytes = new Uint8Array(this.#length.buffer);
  /** Clients that were accepted when listening ended, for whom there was no room yet. */
  readonly #waiting: Waiting[] = [];
  #mode = FROZEN;
  #watches = false;
  /** Whether this thread has said that it waits for room. */
  #isCrowded = false;
  #burst = 1;
  #lastTurn = 0;
  #toldFilling = false;

  constructor(parts: AcceptorParts) {
    this.#parts = parts;
  }

  /** Touches nothing. */
  freeze(): void {
    this.#unwatch();
    this.#setCrowded(false);
    this.#mode = FROZEN;
  }

  /** Accepts nobody from now on. */
  hold(): void {
    this.#unwatch();
    this.#setCrowded(false);
    this.#mode = HOLDING;
    this.#watchQueue();
  }

  /** Accepts clients. */
  open(): void {
    this.#unwatch();
    this.#mode = OPEN;
    this.#watch(EPOLLIN | EPOLLEXCLUSIVE);
  }

  /** Takes everybody who is queued, and listens no more. */
  finish(): void {
    this.#unwatch();
    this.#setCrowded(false);
    if (this.#mode === HOLDING) return;
    this.#mode = CLOSING;
    for (let client = this.#accept(); client >= 0; client = this.#accept()) {
      if (this.#reserve()) {
        this.#serve(client, this.#name);
      } else {
        this.#waiting.push({ client, peer: this.#name.slice() });
        Atomics.add(this.#parts.shared.control, CONTROL.waiting, 1);
        this.#setCrowded(true);
      }
    }
  }

  /** Resets those who still wait. */
  end(): void {
    this.#unwatch();
    this.#setCrowded(false);
    for (const { client } of this.#waiting.splice(0)) {
      closeWithReset(client);
      Atomics.sub(this.#parts.shared.control, CONTROL.waiting, 1);
    }
  }

  /** Something happened to the listening socket. */
  notice(): void {
    const { context, shared } = this.#parts;
    if (this.#mode === HOLDING) return this.#noteArrivals();
    if (!this.#watches) return;
    // Who was told of clients twice in a row takes several at once.
    this.#burst = context.turn === this.#lastTurn + 1
      ? Math.min(2 * this.#burst, LONGEST_BURST)
      : 1;
    this.#lastTurn = context.turn;
    for (let count = 0; count < this.#burst; count++) {
      if (!this.#reserve()) return this.#waitForRoom();
      const client = this.#accept();
      if (client < 0) {
        Atomics.sub(shared.control, CONTROL.active, 1);
        this.#lastTurn = 0;
        return this.#acceptFailed();
      }
      this.#serve(client, this.#name);
    }
  }

  /** Goes on if there is room again. */
  proceed(): void {
    if (!this.#isCrowded) return;
    const { context, shared } = this.#parts;
    if (this.#mode === OPEN) {
      this.retryAt = Infinity;
      if (Atomics.load(shared.control, CONTROL.active) >= this.#parts.maxConnections) return;
      this.#setCrowded(false);
      this.#watch(EPOLLIN | EPOLLEXCLUSIVE);
      return;
    }
    while (this.#waiting.length > 0 && this.#reserve()) {
      const { client, peer } = this.#waiting.shift() as Waiting;
      Atomics.sub(shared.control, CONTROL.waiting, 1);
      context.accepted(client, peer, true);
    }
    this.#setCrowded(this.#waiting.length > 0);
  }

  #reserve(): boolean {
    const { shared, maxConnections } = this.#parts;
    if (Atomics.add(shared.control, CONTROL.active, 1) < maxConnections) return true;
    Atomics.sub(shared.control, CONTROL.active, 1);
    return false;
  }

  #accept(): number {
    this.#length[0] = LARGEST;
    return libc.accept4(this.#parts.listener, this.#name, this.#lengthBytes, FLAGS);
  }

  #serve(client: number, peer: Uint8Array): void {
    const { context, shared: { control } } = this.#parts;
    let wasHeld = false;
    if (Atomics.load(control, CONTROL.released) < Atomics.load(control, CONTROL.held)) {
      const index = Atomics.add(control, CONTROL.released, 1);
      wasHeld = index < Atomics.load(control, CONTROL.held);
      const arrival = this.#parts.shared.arrival(index);
      if (wasHeld && arrival !== null) context.released(context.time - arrival);
    }
    context.accepted(client, peer, wasHeld);
  }

  #acceptFailed(): void {
    const error = errno();
    // Anything else is the fault of one client, who is gone.
    if (error !== EMFILE && error !== ENFILE && error !== ENOBUFS && error !== ENOMEM) return;
    this.retryAt = this.#parts.context.time + PAUSE_WITHOUT_DESCRIPTORS;
    this.#unwatch();
    this.#setCrowded(true);
    this.#parts.context.full();
  }

  #waitForRoom(): void {
    this.#unwatch();
    this.#setCrowded(true);
    this.#parts.context.full();
    // Another thread may have made room before it could know that somebody waits for that.
    this.proceed();
  }

  #setCrowded(crowded: boolean): void {
    if (crowded === this.#isCrowded) return;
    this.#isCrowded = crowded;
    Atomics.add(this.#parts.shared.control, CONTROL.crowded, crowded ? 1 : -1);
  }

  /** Has it noted when clients come, if that is this thread's duty. */
  #watchQueue(): void {
    if (!this.#parts.isMonitor) return;
    this.#toldFilling = false;
    this.#parts.shared.forgetReleased();
    // Of those who came before this one is told at once.
    this.#watch(EPOLLIN | EPOLLET);
  }

  #noteArrivals(): void {
    const { context, shared, listener } = this.#parts;
    const { length, limit } = queueOf(listener);
    shared.noteArrivals(length, context.time);
    if (this.#toldFilling || length < 3 / 4 * limit) return;
    this.#toldFilling = true;
    context.queueFilling(length, limit);
  }

  #watch(events: number): void {
    const { epoll, listener, data } = this.#parts;
    epoll.add(listener, events, data);
    this.#watches = true;
  }

  #unwatch(): void {
    if (this.#watches) this.#parts.epoll.remove(this.#parts.listener);
    this.#watches = false;
  }
}
