/**
 * The memory that the main thread shares with the threads that carry bytes.
 *
 * Each number has one writer, or is changed by `Atomics` only, so nobody ever waits for a lock. A
 * thread that blocks in epoll_wait(2) is told by its event counter that something has changed here.
 *
 * @module
 */

import type { LettingGo } from "../relay.ts";

/** What the threads are to do. */
export const HOLDING = 0;
export const OPEN = 1;
/** Take what is queued, then listen no more. */
export const CLOSING = 2;
/** Cut everything and end. */
export const ENDING = 3;
/** Serve those that are held here, but accept nobody yet. */
export const SERVING_HELD = 6;
/** Touch nothing. */
export const FROZEN = 4;
/** It ends, and its connections live on in another process. */
export const LEAVING = 5;

/** Which number is what, in {@linkcode SharedMemory.control}: what concerns all threads. */
export const CONTROL = {
  /** One of the above. */
  mode: 0,
  /** Counts what the main thread has asked for. */
  command: 1,
  /** Counts connections that the main thread wants cut. */
  cuts: 2,
  /** Counts how often it wanted those cut that are idle, and says for which reason. */
  idleCuts: 9,
  idleCutReason: 10,
  active: 3,
  /** Clients that are held here and were never served, and those who were. */
  waiting: 4,
  suspended: 12,
  /** Of both, those who are to be served as soon as there is room: newcomers wait for them. */
  line: 13,
  /** Whether threads may take clients from the queue while it is held, because it is too full. */
  takes: 14,
  /** How many threads wait for room. */
  crowded: 5,
  /** When clients came to the queue while it was held: how many of these times there are. */
  arrivals: 6,
  /**
   * Since it was opened: how many of the queue were held, and how many of them have been accepted;
   * {@linkcode NOT_OPENED} while it holds.
   */
  held: 7,
  released: 8,
  /** Places that are taken: by active connections, and for clients who are about to be accepted. */
  taken: 11,
  /** Counts the processes that were to be told of the connections, */
  receiver: 15,
  /** and how often one of them was to be told of what has changed. */
  copies: 16,
} as const;

/** In `held`: nobody of this hold has been accepted. */
const NOT_OPENED = -1;

const CONTROL_WORDS = 18;

/** Which number is what, in {@linkcode SharedMemory.times}, in milliseconds. */
const IDLE_LIMIT = 0;
const HOLD_QUIET = 1;
const CLOSE_ENDED = 2;
const RETARGET_QUIET = 3;
const FIRST_ARRIVAL = 4;

/** Of how many held clients it is known when they came; more than the kernel queues by default. */
const MOST_ARRIVALS = 4200;

/** What concerns all threads. */
export class SharedMemory {
  readonly buffer: SharedArrayBuffer;
  readonly control: Int32Array<SharedArrayBuffer>;
  readonly #times: Float64Array<SharedArrayBuffer>;
  /** When those who are held came, by the clock. */
  readonly #arrivals: Float64Array<SharedArrayBuffer>;

  /** @param buffer as another thread made it; none makes it */
  constructor(buffer?: SharedArrayBuffer) {
    this.buffer = buffer ?? new SharedArrayBuffer(
      CONTROL_WORDS * 4 + (FIRST_ARRIVAL + MOST_ARRIVALS) * 8,
    );
    this.control = new Int32Array(this.buffer, 0, CONTROL_WORDS);
    this.#times = new Float64Array(this.buffer, CONTROL_WORDS * 4);
    this.#arrivals = this.#times.subarray(FIRST_ARRIVAL);
    if (buffer !== undefined) return;
    this.control[CONTROL.held] = NOT_OPENED;
    this.control[CONTROL.mode] = FROZEN;
    this.#times.fill(Infinity, HOLD_QUIET, FIRST_ARRIVAL);
  }

  /** What is let go while it holds. */
  set lettingGo({ suspendQuiet, closeEnded }: LettingGo) {
    this.#times[HOLD_QUIET] = suspendQuiet ?? Infinity;
    this.#times[CLOSE_ENDED] = closeEnded ?? Infinity;
  }

  /** How long connections must have been quiet to be suspended while it holds. */
  get holdQuiet(): number {
    return this.#times[HOLD_QUIET] as number;
  }

  /** How long connections must have been quiet to be suspended as things are. */
  get quiet(): number {
    const isHolding = Atomics.load(this.control, CONTROL.mode) === HOLDING;
    return Math.min(isHolding ? this.holdQuiet : Infinity, this.retargetQuiet);
  }

  /** How long a client must have been silent once its service has ended, while it holds. */
  get closeEnded(): number {
    return this.#times[CLOSE_ENDED] as number;
  }

  /** How long connections to another target must have been quiet to be suspended. */
  get retargetQuiet(): number {
    return this.#times[RETARGET_QUIET] as number;
  }

  set retargetQuiet(milliseconds: number) {
    this.#times[RETARGET_QUIET] = milliseconds;
  }

  /** For how long those have been idle, at the least, whom the main thread wants cut. */
  get idleLimit(): number {
    return this.#times[IDLE_LIMIT] as number;
  }

  set idleLimit(milliseconds: number) {
    this.#times[IDLE_LIMIT] = milliseconds;
  }

  /** When the n-th of those who are held came; `null` if that is not known. */
  arrival(index: number): number | null {
    const known = Atomics.load(this.control, CONTROL.arrivals);
    if (index >= known || index < known - MOST_ARRIVALS) return null;
    return this.#arrivals[index % MOST_ARRIVALS] as number;
  }

  /** When the one came who is first in the queue; `null` if that is not known. */
  get firstArrival(): number | null {
    return this.arrival(Atomics.load(this.control, CONTROL.released));
  }

  /** Notes that so many clients are queued by now. */
  noteArrivals(queued: number, now: number): void {
    const { control } = this;
    const end = Atomics.load(control, CONTROL.released) + Math.min(queued, MOST_ARRIVALS);
    for (let index = Atomics.load(control, CONTROL.arrivals); index < end; index++) {
      this.#arrivals[index % MOST_ARRIVALS] = now;
    }
    Atomics.store(control, CONTROL.arrivals, Math.max(end, control[CONTROL.arrivals] as number));
  }

  /** It is opened, and so many are in the queue: who comes from now on is not held. */
  release(held: number): void {
    Atomics.store(this.control, CONTROL.held, Atomics.load(this.control, CONTROL.released) + held);
  }

  /**
   * One of the queue has been accepted.
   *
   * @returns when it came, or now, if it was held; `null` if it was not
   */
  takeFirst(now: number): number | null {
    if (!this.#isHeld(Atomics.load(this.control, CONTROL.released))) return null;
    const index = Atomics.add(this.control, CONTROL.released, 1);
    return this.#isHeld(index) ? this.arrival(index) ?? now : null;
  }

  #isHeld(index: number): boolean {
    const held = Atomics.load(this.control, CONTROL.held);
    return held === NOT_OPENED || index < held;
  }

  /** Whether the next of the queue was held. */
  get nextIsHeld(): boolean {
    const { control } = this;
    return Atomics.load(control, CONTROL.released) < Atomics.load(control, CONTROL.held);
  }

  /** It holds again: forgets all but those who were held before and have not been accepted yet. */
  forgetReleased(): void {
    const still = this.arrivals;
    Atomics.store(this.control, CONTROL.held, NOT_OPENED);
    this.arrivals = still;
  }

  /** When those came who are held and have not been accepted yet. */
  get arrivals(): number[] {
    const { control } = this;
    const known = Atomics.load(control, CONTROL.arrivals);
    const held = Atomics.load(control, CONTROL.held);
    // The last of the known may have come when it was being opened already.
    const end = held === NOT_OPENED ? known : Math.min(known, held);
    const first = Math.max(Atomics.load(control, CONTROL.released), known - MOST_ARRIVALS);
    const times: number[] = [];
    for (let index = first; index < end; index++) {
      times.push(this.#arrivals[index % MOST_ARRIVALS] as number);
    }
    return times;
  }

  set arrivals(times: readonly number[]) {
    const some = times.slice(0, MOST_ARRIVALS);
    this.#arrivals.set(some);
    Atomics.store(this.control, CONTROL.arrivals, some.length);
    Atomics.store(this.control, CONTROL.released, 0);
  }
}
