/**
 * The memory that the main thread shares with the threads that carry bytes.
 *
 * Each number has one writer, or is changed by `Atomics` only, so nobody ever waits for a lock. A
 * thread that blocks in epoll_wait(2) is told by its event counter that something has changed here.
 *
 * @module
 */

import { formatAddress } from "../../address.ts";
import { peerName } from "../../linux/socket.ts";
import { decode, LARGEST } from "../../linux/socket_address.ts";
import type { MovedConnection } from "./moved.ts";
import { CLOSE_REASONS, type Connection, type Counters } from "../relay.ts";

/** What the threads are to do. */
export const HOLDING = 0;
export const OPEN = 1;
/** Take what is queued, then listen no more. */
export const CLOSING = 2;
/** Cut everything and end. */
export const ENDING = 3;
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
  active: 3,
  /** Clients that were accepted when listening ended, and wait for room. */
  waiting: 4,
  /** How many threads wait for room. */
  crowded: 5,
  /** When clients came to the queue while it was held: how many of these times there are. */
  arrivals: 6,
  /** How many of those who were held may still have to be accepted, and how many have been. */
  held: 7,
  released: 8,
} as const;

const CONTROL_WORDS = 16;

/** Which number is what, in {@linkcode SharedMemory.times}, in milliseconds of the clock. */
const IDLE_SINCE = 0;
const FIRST_ARRIVAL = 1;

/** Of how many held clients it is known when they came; more than the kernel queues by default. */
const MOST_ARRIVALS = 4200;

/** How a connection is doing, in its row. */
export const CONNECTING = 0;
export const ESTABLISHED = 1;
export const HALF_CLOSED = 2;

const STATES = ["connecting", "established", "half-closed"] as const;

/** The size of a row, in 64-bit numbers; in them: */
const ROW = 16;
const ID = 0;
const ACCEPTED_AT = 1;
const LAST_BYTE_AT = 2;
const BYTES_UP = 3;
const BYTES_DOWN = 4;
const CUT_ID = 5;
/** In 32-bit numbers: */
const STATE = 12;
const CUT_REASON = 13;
const CLIENT = 14;
const UPSTREAM = 15;
/** In bytes: */
const PEER_NAME = 64;
const UPSTREAM_NAME = 96;

/** The name of a peer that has reset its connection, before it was asked for. */
const UNKNOWN = new Uint8Array(LARGEST);

/** Totals of a thread, in 64-bit numbers. */
const ACCEPTED = 0;
const TOTAL_UP = 1;
const TOTAL_DOWN = 2;
const CONNECT_FAILURES = 3;
const CLOSED = 4;

/** What concerns all threads. */
export class SharedMemory {
  readonly control: Int32Array<SharedArrayBuffer>;
  readonly #times: Float64Array<SharedArrayBuffer>;

  /** @param buffer as another thread made it; none makes it */
  constructor(
    readonly buffer: SharedArrayBuffer = new SharedArrayBuffer(
      CONTROL_WORDS * 4 + (FIRST_ARRIVAL + MOST_ARRIVALS) * 8,
    ),
  ) {
    this.control = new Int32Array(buffer, 0, CONTROL_WORDS);
    this.#times = new Float64Array(buffer, CONTROL_WORDS * 4);
  }

  /** Since when no connection is active; means nothing while there is one. */
  get idleSince(): number {
    return this.#times[IDLE_SINCE] as number;
  }

  set idleSince(time: number) {
    this.#times[IDLE_SINCE] = time;
  }

  /** When the n-th of those who are held came; `null` if that is not known. */
  arrival(index: number): number | null {
    if (index >= Atomics.load(this.control, CONTROL.arrivals)) return null;
    return this.#times[FIRST_ARRIVAL + index] as number;
  }

  /** Notes that so many clients are queued by now. */
  noteArrivals(queued: number, now: number): void {
    const { control } = this;
    const end = Math.min(queued, MOST_ARRIVALS);
    for (let index = Atomics.load(control, CONTROL.arrivals); index < end; index++) {
      this.#times[FIRST_ARRIVAL + index] = now;
    }
    Atomics.store(control, CONTROL.arrivals, Math.max(end, control[CONTROL.arrivals] as number));
  }

  /** Forgets those who were held and have been accepted. */
  forgetReleased(): void {
    const { control } = this;
    const arrivals = Atomics.load(control, CONTROL.arrivals);
    const gone = Math.min(arrivals, Atomics.load(control, CONTROL.released));
    this.#times.copyWithin(FIRST_ARRIVAL, FIRST_ARRIVAL + gone, FIRST_ARRIVAL + arrivals);
    Atomics.store(control, CONTROL.arrivals, arrivals - gone);
    Atomics.store(control, CONTROL.held, 0);
    Atomics.store(control, CONTROL.released, 0);
  }

  /** When those who are held came. */
  get arrivals(): number[] {
    const count = Atomics.load(this.control, CONTROL.arrivals);
    return [...this.#times.subarray(FIRST_ARRIVAL, FIRST_ARRIVAL + count)];
  }

  set arrivals(times: readonly number[]) {
    const some = times.slice(0, MOST_ARRIVALS);
    this.#times.set(some, FIRST_ARRIVAL);
    Atomics.store(this.control, CONTROL.arrivals, some.length);
  }
}

/** The connections and totals of one thread, who alone writes them, but for wishes to cut one. */
export class Table {
  readonly #numbers: Float64Array<SharedArrayBuffer>;
  readonly #words: Int32Array<SharedArrayBuffer>;
  readonly #bytes: Uint8Array<SharedArrayBuffer>;
  readonly #totals: Float64Array<SharedArrayBuffer>;
  /** How many rows have been in use at the same time, at the most. */
  readonly #height: Int32Array<SharedArrayBuffer>;

  /** @param rows how many connections there may be */
  static make(rows: number): Table {
    return new Table(new SharedArrayBuffer((rows + 2) * ROW * 8));
  }

  /** @param buffer as another thread made it */
  constructor(readonly buffer: SharedArrayBuffer) {
    const [height, totals] = [buffer.byteLength - ROW * 8, buffer.byteLength - 2 * ROW * 8];
    this.#numbers = new Float64Array(buffer, 0, totals / 8);
    this.#words = new Int32Array(buffer, 0, totals / 4);
    this.#bytes = new Uint8Array(buffer, 0, totals);
    this.#totals = new Float64Array(buffer, totals, ROW);
    this.#height = new Int32Array(buffer, height, 1);
  }

  get rows(): number {
    return this.#numbers.length / ROW;
  }

  get height(): number {
    return Atomics.load(this.#height, 0);
  }

  /** Begins a row. @param peer the client's address as the kernel gave it */
  begin(row: number, id: number, client: number, now: number, peer: Uint8Array): void {
    const [number, word, byte] = [row * ROW, row * ROW * 2, row * ROW * 8];
    const numbers = this.#numbers;
    numbers[number + ACCEPTED_AT] = now;
    numbers[number + LAST_BYTE_AT] = now;
    numbers[number + BYTES_UP] = 0;
    numbers[number + BYTES_DOWN] = 0;
    numbers[number + CUT_ID] = 0;
    this.#words[word + STATE] = CONNECTING;
    this.#words[word + CLIENT] = client;
    this.#words[word + UPSTREAM] = -1;
    this.#bytes.set(peer, byte + PEER_NAME);
    numbers[number + ID] = id;
    this.#totals[ACCEPTED] = this.#totals[ACCEPTED] as number + 1;
    if (row >= (this.#height[0] as number)) Atomics.store(this.#height, 0, row + 1);
  }

  /** Begins a row for a connection that another process began. */
  restore(row: number, moved: MovedConnection): void {
    const numbers = this.#numbers;
    const accepted = this.#totals[ACCEPTED] as number;
    this.begin(row, moved.id, moved.client, moved.acceptedAt, peerName(moved.client) ?? UNKNOWN);
    // It was counted there.
    this.#totals[ACCEPTED] = accepted;
    numbers[row * ROW + LAST_BYTE_AT] = moved.lastByteAt;
    numbers[row * ROW + BYTES_UP] = moved.bytesUp;
    numbers[row * ROW + BYTES_DOWN] = moved.bytesDown;
    if (moved.upstream === -1) return;
    this.setUpstreamName(row, peerName(moved.upstream) ?? UNKNOWN);
    this.setUpstream(row, moved.upstream);
    this.setState(row, moved.endedAt === null ? ESTABLISHED : HALF_CLOSED);
  }

  /** What of a row goes with a connection to another process. */
  moved(row: number) {
    const number = row * ROW;
    return {
      id: this.id(row),
      acceptedAt: this.#numbers[number + ACCEPTED_AT] as number,
      lastByteAt: this.#numbers[number + LAST_BYTE_AT] as number,
      bytesUp: this.#numbers[number + BYTES_UP] as number,
      bytesDown: this.#numbers[number + BYTES_DOWN] as number,
    };
  }

  /** Ends a row. @param reason as an index of {@linkcode CLOSE_REASONS} */
  end(row: number, reason: number): void {
    this.#numbers[row * ROW + ID] = 0;
    this.#totals[CLOSED + reason] = this.#totals[CLOSED + reason] as number + 1;
  }

  /** Takes connections away that another thread has left. */
  abandon(row: number): { client: number; upstream: number } {
    const word = row * ROW * 2;
    const [client, upstream] = [this.#words[word + CLIENT], this.#words[word + UPSTREAM]];
    this.end(row, CLOSE_REASONS.indexOf("stopped"));
    return { client: client as number, upstream: upstream as number };
  }

  id(row: number): number {
    return this.#numbers[row * ROW + ID] as number;
  }

  lastByteAt(row: number): number {
    return this.#numbers[row * ROW + LAST_BYTE_AT] as number;
  }

  touch(row: number, now: number): void {
    this.#numbers[row * ROW + LAST_BYTE_AT] = now;
  }

  /** Counts bytes from the client to the service. */
  addUp(row: number, count: number): void {
    const number = row * ROW + BYTES_UP;
    this.#numbers[number] = this.#numbers[number] as number + count;
    this.#totals[TOTAL_UP] = this.#totals[TOTAL_UP] as number + count;
  }

  /** Counts bytes from the service to the client. */
  addDown(row: number, count: number): void {
    const number = row * ROW + BYTES_DOWN;
    this.#numbers[number] = this.#numbers[number] as number + count;
    this.#totals[TOTAL_DOWN] = this.#totals[TOTAL_DOWN] as number + count;
  }

  countConnectFailure(): void {
    this.#totals[CONNECT_FAILURES] = this.#totals[CONNECT_FAILURES] as number + 1;
  }

  setState(row: number, state: number): void {
    this.#words[row * ROW * 2 + STATE] = state;
  }

  setUpstream(row: number, descriptor: number): void {
    this.#words[row * ROW * 2 + UPSTREAM] = descriptor;
  }

  /** Notes who serves the connection, by the address as the kernel has it. */
  setUpstreamName(row: number, name: Uint8Array): void {
    this.#bytes.set(name, row * ROW * 8 + UPSTREAM_NAME);
  }

  /**
   * Wishes that a connection be cut, for a reason given as an index of {@linkcode CLOSE_REASONS}.
   *
   * @returns whether there is such a connection
   */
  wishCut(id: number, reason: number): boolean {
    for (let row = 0; row < this.height; row++) {
      if (this.#numbers[row * ROW + ID] !== id) continue;
      this.#words[row * ROW * 2 + CUT_REASON] = reason;
      this.#numbers[row * ROW + CUT_ID] = id;
      return true;
    }
    return false;
  }

  /** Why a connection is to be cut, as an index of {@linkcode CLOSE_REASONS}; -1 if it is not. */
  wishedCut(row: number): number {
    const id = this.#numbers[row * ROW + ID];
    if (id === 0 || this.#numbers[row * ROW + CUT_ID] !== id) return -1;
    return this.#words[row * ROW * 2 + CUT_REASON] as number;
  }

  /**
   * The connection of a row; `null` if there is none, or it changes right now.
   *
   * @param target where it is going while it is not connected yet
   */
  snapshot(row: number, now: number, target: string): Connection | null {
    const [number, word, byte] = [row * ROW, row * ROW * 2, row * ROW * 8];
    const id = this.#numbers[number + ID] as number;
    if (id === 0) return null;
    const state = STATES[this.#words[word + STATE] as number] ?? "connecting";
    const name = (offset: number) => {
      const start = byte + offset;
      const address = decode(new Uint8Array(this.#bytes.slice(start, start + LARGEST)));
      return address === null ? null : formatAddress(address);
    };
    const connection: Connection = {
      id,
      peer: name(PEER_NAME) ?? "unknown",
      upstream: (state === "connecting" ? null : name(UPSTREAM_NAME)) ?? target,
      state,
      age: now - (this.#numbers[number + ACCEPTED_AT] as number),
      idle: now - (this.#numbers[number + LAST_BYTE_AT] as number),
      bytesUp: this.#numbers[number + BYTES_UP] as number,
      bytesDown: this.#numbers[number + BYTES_DOWN] as number,
    };
    return this.#numbers[number + ID] === id ? connection : null;
  }

  get counters(): Counters {
    const totals = this.#totals;
    return {
      accepted: totals[ACCEPTED] as number,
      bytesUp: totals[TOTAL_UP] as number,
      bytesDown: totals[TOTAL_DOWN] as number,
      connectFailures: totals[CONNECT_FAILURES] as number,
      closed: Object.fromEntries(
        CLOSE_REASONS.map((reason, index) => [reason, totals[CLOSED + index] as number]),
      ) as Counters["closed"],
    };
  }
}
