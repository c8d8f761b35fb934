/**
 * What one side of a connection says: passed on as it comes, or kept until somebody wants it.
 *
 * node:net cannot look at what has come without taking it. So what is to wait is read and kept here,
 * in memory, up to a bound; what is beyond that stays in the kernel. That is how it shows that a side
 * has said something, has ended, or is gone.
 *
 * @module
 */

import type { Socket } from "node:net";

/** How much is kept before no more is read, in bytes; one piece may go beyond. */
const MOST_KEPT = 64 << 10;

/** Who hears what a side says. */
export interface Hearer {
  said(piece: Uint8Array): void;
  /** Nothing more will be said, and all that was has been passed on. */
  ended(): void;
  /** Something is kept, or an end is. */
  kept(): void;
}

/** Reads a socket. It keeps, and does not read, until it is told to do otherwise. */
export class Inbox {
  readonly #socket: Socket;
  #hearer: Hearer;
  #kept: Uint8Array[] = [];
  #size = 0;
  #isKeeping = true;
  #isReading = false;
  #hasEnded = false;
  #hasToldEnd = false;
  #isBlocked = false;

  /** @param socket a paused socket */
  constructor(socket: Socket, hearer: Hearer) {
    this.#socket = socket;
    this.#hearer = hearer;
    socket.on("data", (piece: Uint8Array) => this.#take(piece));
    socket.on("end", () => this.#end());
  }

  /** Has somebody else hear what is said from now on. */
  set hearer(hearer: Hearer) {
    this.#hearer = hearer;
  }

  /** How many bytes are kept. */
  get size(): number {
    return this.#size;
  }

  get isKeeping(): boolean {
    return this.#isKeeping;
  }

  /** Whether the end has come, be it kept or not. */
  get hasEnded(): boolean {
    return this.#hasEnded;
  }

  /** Whether no more is passed on, since what was passed on could not be written. */
  get isBlocked(): boolean {
    return this.#isBlocked;
  }

  /** Reads from now on, and keeps. */
  keep(): void {
    this.#isKeeping = true;
    this.#isReading = true;
    this.#arrange();
  }

  /** Passes on what was kept, in one piece, and then what comes. */
  passOn(): void {
    this.#isReading = true;
    this.#isKeeping = false;
    const pieces = this.#kept;
    if (pieces.length > 0) {
      this.#kept = [];
      this.#size = 0;
      this.#hearer.said(pieces.length === 1 ? pieces[0] as Uint8Array : concatenate(pieces));
    }
    // Who heard it may want to keep the rest.
    if (this.#isKeeping) return;
    this.#tellEnd();
    this.#arrange();
  }

  /** The kept bytes, in one piece. */
  get words(): Uint8Array {
    if (this.#kept.length > 1) this.#kept = [concatenate(this.#kept)];
    return this.#kept[0] ?? new Uint8Array();
  }

  /** Drops so many of the bytes that are kept, from the first. */
  drop(count: number): void {
    const rest = this.words.slice(count);
    this.#kept = rest.length === 0 ? [] : [rest];
    this.#size = rest.length;
    this.#arrange();
  }

  /** Passes nothing on for now. */
  block(): void {
    this.#isBlocked = true;
    this.#arrange();
  }

  /** Goes on. */
  unblock(): void {
    this.#isBlocked = false;
    this.#arrange();
  }

  #take(piece: Uint8Array): void {
    if (!this.#isKeeping) return this.#hearer.said(piece);
    this.#kept.push(piece);
    this.#size += piece.length;
    this.#arrange();
    this.#hearer.kept();
  }

  #end(): void {
    this.#hasEnded = true;
    if (this.#isKeeping) this.#hearer.kept();
    else this.#tellEnd();
  }

  #tellEnd(): void {
    if (!this.#hasEnded || this.#hasToldEnd) return;
    this.#hasToldEnd = true;
    this.#hearer.ended();
  }

  #arrange(): void {
    if (!this.#isReading || this.#socket.destroyed) return;
    const reads = this.#isKeeping ? this.#size < MOST_KEPT : !this.#isBlocked;
    if (reads) this.#socket.resume();
    else this.#socket.pause();
  }
}

function concatenate(pieces: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(pieces.reduce((size, { length }) => size + length, 0));
  let size = 0;
  for (const piece of pieces) {
    all.set(piece, size);
    size += piece.length;
  }
  return all;
}
