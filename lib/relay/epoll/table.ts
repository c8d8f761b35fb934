/**
 * The connections of a thread, as the main thread sees them: a table in memory that both share.
 *
 * @module
 */

import { formatAddress } from "../../address.ts";
import { peerName } from "../../linux/socket.ts";
import { decode, LARGEST } from "../../linux/socket_address.ts";
import { type Tie, TIES } from "../conversation.ts";
import { CLOSE_REASONS, type Connection, CONNECTION_STATES, type Counters } from "../relay.ts";
import type { Arrived } from "./moved.ts";

/** How a connection is doing, in its row. */
export const CONNECTING = 0;
export const ESTABLISHED = 1;
export const SERVICE_ENDED = 2;
export const CLIENT_ENDED = 3;
export const QUEUED = 4;
export const SUSPENDED = 5;

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
/**
 * Why it is tied to its service, as an index of {@linkcode TIES}; else, below that, how long its
 * service was silent at the most before it went on unasked, counted down from {@linkcode UNTIED}.
 */
const TIE = 23;
const UNTIED = -1;
const LONGEST_SILENCE = 2 ** 30;
/** Which target it was connected for. */
const TARGET = 31;
/** In bytes: */
const PEER_NAME = 64;
const UPSTREAM_NAME = 96;
/** In 64-bit numbers, in place of the service's name: who is held has no service. */
const HELD_SINCE = UPSTREAM_NAME / 8;

/** The name of a peer that has reset its connection, before it was asked for. */
export const UNKNOWN = new Uint8Array(LARGEST);

/** Totals of a thread, in 64-bit numbers. */
const ACCEPTED = 0;
const TOTAL_UP = 1;
const TOTAL_DOWN = 2;
const CONNECT_FAILURES = 3;
const CLOSED = 4;
const LAST_ACTIVE_AT = ROW - 1;

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

  get height(): number {
    return Atomics.load(this.#height, 0);
  }

  /** How many connections there may be. */
  get rows(): number {
    return this.#numbers.length / ROW;
  }

  /** Begins a row. @param peer the client's address as the kernel has it; `null` if it is known */
  begin(row: number, id: number, client: number, now: number, peer: Uint8Array | null): void {
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
    this.#words[word + TIE] = UNTIED;
    if (peer !== null) this.#bytes.set(peer, byte + PEER_NAME);
    numbers[number + ID] = id;
    this.#totals[ACCEPTED] = this.#totals[ACCEPTED] as number + 1;
    if (row >= (this.#height[0] as number)) Atomics.store(this.#height, 0, row + 1);
  }

  /** Begins a row for a connection that another process began. @param peer as of {@linkcode begin} */
  restore(row: number, moved: Arrived, peer: Uint8Array | null): void {
    const { [ACCEPTED]: accepted = 0 } = this.#totals;
    const numbers = this.#numbers;
    this.begin(row, moved.id, moved.client, moved.acceptedAt, peer);
    // It was counted there.
    this.#totals[ACCEPTED] = accepted;
    numbers[row * ROW + LAST_BYTE_AT] = moved.lastByteAt;
    numbers[row * ROW + BYTES_UP] = moved.bytesUp;
    numbers[row * ROW + BYTES_DOWN] = moved.bytesDown;
    if (moved.upstream === -1) {
      const state = moved.wasServed ? SUSPENDED : QUEUED;
      return this.hold(row, state, moved.heldSince ?? moved.acceptedAt);
    }
    this.setTarget(row, moved.target);
    const tie = moved.talk === undefined ? "unknown" : moved.talk.tie;
    if (tie !== null) this.setTie(row, tie);
    else this.setUnasked(row, moved.talk?.longestUnasked ?? 0);
    if (peer !== null) this.setUpstreamName(row, peerName(moved.upstream) ?? UNKNOWN);
    this.setUpstream(row, moved.upstream);
    this.setState(row, stateOf(moved));
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

  /** Empties a row whose connection is over in another process, where it counts. */
  clear(row: number): void {
    this.#numbers[row * ROW + ID] = 0;
  }

  /** The rows that are in use. */
  *rowsInUse(): Generator<number> {
    for (let row = 0; row < this.height; row++) if (this.id(row) !== 0) yield row;
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

  acceptedAt(row: number): number {
    return this.#numbers[row * ROW + ACCEPTED_AT] as number;
  }

  /** How a row's connection is doing. */
  state(row: number): number {
    return this.#words[row * ROW * 2 + STATE] as number;
  }

  /** Whether a row is in use by a connection that is not held. */
  isActive(row: number): boolean {
    return this.id(row) !== 0 && this.state(row) < QUEUED;
  }

  /** Which target a row's connection was connected for. */
  target(row: number): number {
    return this.#words[row * ROW * 2 + TARGET] as number;
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

  /** When a connection of this thread was active last; means nothing while one is. */
  get lastActiveAt(): number {
    return this.#totals[LAST_ACTIVE_AT] as number;
  }

  set lastActiveAt(time: number) {
    this.#totals[LAST_ACTIVE_AT] = time;
  }

  countConnectFailure(): void {
    this.#totals[CONNECT_FAILURES] = this.#totals[CONNECT_FAILURES] as number + 1;
  }

  setState(row: number, state: number): void {
    this.#words[row * ROW * 2 + STATE] = state;
  }

  /** Notes that its client is held. @param since since when, on the clock */
  hold(row: number, state: typeof QUEUED | typeof SUSPENDED, since: number): void {
    this.#numbers[row * ROW + HELD_SINCE] = since;
    this.setState(row, state);
  }

  setTie(row: number, tie: Tie): void {
    this.#words[row * ROW * 2 + TIE] = TIES.indexOf(tie);
  }

  /** Notes the longest silence after which its service went on unasked, in milliseconds. */
  setUnasked(row: number, silence: number): void {
    const word = row * ROW * 2 + TIE;
    const longest = Math.min(Math.ceil(silence), LONGEST_SILENCE);
    const tie = this.#words[word] as number;
    if (tie <= UNTIED) this.#words[word] = UNTIED - longest;
  }

  setTarget(row: number, target: number): void {
    this.#words[row * ROW * 2 + TARGET] = target;
  }

  setUpstream(row: number, descriptor: number): void {
    this.#words[row * ROW * 2 + UPSTREAM] = descriptor;
  }

  /** Notes who the client is, and who serves it, by an address as the kernel has it. */
  setPeerName(row: number, name: Uint8Array): void {
    this.#bytes.set(name, row * ROW * 8 + PEER_NAME);
  }

  setUpstreamName(row: number, name: Uint8Array): void {
    this.#bytes.set(name, row * ROW * 8 + UPSTREAM_NAME);
  }

  /**
   * Wishes that a connection be cut, for a reason given as an index of {@linkcode CLOSE_REASONS}.
   *
   * @returns whether there is such a connection
   */
  wishCut(id: number, reason: number): boolean {
    const { height } = this;
    for (let row = 0; row < height; row++) {
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
   * @param quiet how long connections must be quiet to be suspended, in milliseconds
   */
  snapshot(row: number, now: number, target: string, quiet = Infinity): Connection | null {
    const [number, word, byte] = [row * ROW, row * ROW * 2, row * ROW * 8];
    const id = this.#numbers[number + ID] as number;
    if (id === 0) return null;
    const state = this.#words[word + STATE] as number;
    const tie = this.#words[word + TIE] as number;
    const hasService = state !== CONNECTING && state < QUEUED;
    const name = (offset: number) => {
      const start = byte + offset;
      const address = decode(this.#bytes.subarray(start, start + LARGEST));
      return address === null ? null : formatAddress(address);
    };
    const connection: Connection = {
      id,
      peer: name(PEER_NAME) ?? "unknown",
      upstream: (hasService ? name(UPSTREAM_NAME) : null) ?? target,
      state: CONNECTION_STATES[state] ?? "connecting",
      age: now - (this.#numbers[number + ACCEPTED_AT] as number),
      idle: now - (this.#numbers[number + LAST_BYTE_AT] as number),
      bytesUp: this.#numbers[number + BYTES_UP] as number,
      bytesDown: this.#numbers[number + BYTES_DOWN] as number,
      heldFor: state < QUEUED ? null : now - (this.#numbers[number + HELD_SINCE] as number),
      tied: TIES[tie] ?? (UNTIED - tie > quiet ? "spoke-unasked" : null),
    };
    return this.#numbers[number + ID] === id ? connection : null;
  }

  /** Since when a row's client is held, on the clock; means nothing if it is not. */
  heldSince(row: number): number {
    return this.#numbers[row * ROW + HELD_SINCE] as number;
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

/** The state of a connection that another process began, and that is not held. */
function stateOf({ endedAt, down }: Arrived): number {
  if (endedAt === null) return ESTABLISHED;
  return down?.ended ? SERVICE_ENDED : CLIENT_ENDED;
}
