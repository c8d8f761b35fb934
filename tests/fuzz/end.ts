/**
 * One end of a connection, on a socket of the system's own: `node:net` hides what the fuzz looks
 * for (it tells of no reset while it does not read, and takes some of them for an end).
 *
 * @module
 */

import { EAGAIN, errno, errorName } from "../../lib/linux/errno.ts";
import { libc } from "../../lib/linux/libc.ts";
import { closeWithReset, MSG_NOSIGNAL, SHUT_WR } from "../../lib/linux/socket.ts";
import type { Amount, EndScript, Parting, Reading, Sending } from "./script.ts";
import { LONGEST_PIECE, type Stream } from "./stream.ts";

/** How many steps in a row an end takes before others get their turn. */
const BURST = 16;

/** Whatever comes until the end. */
const REST: Amount = { bytes: Infinity, piece: LONGEST_PIECE, gap: 0 };

/** Whether something can go on. */
type Ready = () => boolean;

/** What goes on step by step, and after each step says when the next can come. */
type Task = Generator<Ready, void>;

const buffer = new Uint8Array(LONGEST_PIECE);

/** One end of a connection, and what it has seen so far. */
export class End {
  readonly began = performance.now();
  /** Whether the system may have something for it; set by whoever waits for events. */
  readable = false;
  /** Whether the system may take something from it; set by whoever waits for events. */
  writable = false;
  /** When it could do something last, by `performance.now()`. */
  lastMove = this.began;
  /** How many bytes the system has taken from it. */
  sent = 0;
  /** How many bytes have come. */
  received = 0;
  /** Whether it has ended its direction after all that it had to say. */
  ended = false;
  /** Whether the other direction has come to its end. */
  sawEnd = false;
  /** The name of the error by which the connection broke. */
  sawReset: string | null = null;
  /** How it went away before its time. */
  parted: Parting | null = null;
  /** What is wrong with what it received. */
  wrong: string | null = null;
  /** Whether it was given up. */
  stuck: string | null = null;
  /** Whether its socket is closed. */
  over = false;
  readonly #tasks: { readonly task: Task; ready: Ready }[] = [];

  /** @param descriptor a TCP socket on which no call waits; it may still be connecting */
  constructor(private readonly descriptor: number) {}

  /**
   * Follows a script.
   *
   * @param incoming what it expects to read
   */
  follow(script: EndScript, outgoing: Stream, incoming: Stream): void {
    const check = (bytes: Uint8Array) => {
      this.wrong = incoming.whatIsWrong(this.received, bytes);
      if (this.wrong !== null) this.#closeWithReset();
    };
    this.#begin(this.#followSending(script.sending, outgoing));
    const introduced = () => this.sent >= outgoing.introduction;
    this.#begin(this.#followReading(script.reading, check), introduced);
  }

  /** Reads so many bytes, and then hands them over; if they do not come, it ends. */
  expect(count: number, then: (bytes: Uint8Array) => void): void {
    this.#begin(this.#collect(count, then));
  }

  /** Does what can be done. @returns whether anything could be */
  move(): boolean {
    let moved = false;
    for (const entry of this.#tasks) {
      for (let steps = 0; steps < BURST && !this.over && entry.ready(); steps++) {
        moved = true;
        entry.ready = entry.task.next().value ?? (() => false);
      }
    }
    if (moved) this.lastMove = performance.now();
    return moved;
  }

  /** Gives it up, because it waits for something that does not come. @param why in words */
  giveUp(why: string): void {
    this.stuck = why;
    this.#closeWithReset();
  }

  #begin(task: Task, ready: Ready = () => true): void {
    this.#tasks.push({ task, ready });
  }

  *#followSending(steps: readonly Sending[], outgoing: Stream): Task {
    // By then it is connected.
    yield () => this.writable;
    for (const step of steps) {
      if (step.do === "send") yield* this.#send(step, outgoing);
      else if (step.do === "await") yield () => this.received >= step.bytes || this.sawEnd;
      else if (step.do === "pause") yield after(step.milliseconds);
      else if (step.do === "end") this.#end();
      else return this.#part(step.do);
    }
  }

  *#followReading(steps: readonly Reading[], take: (bytes: Uint8Array) => void): Task {
    for (const step of steps) {
      if (step.do === "read") yield* this.#receive(step, take);
      else if (step.do === "pause") yield after(step.milliseconds);
      else return this.#part(step.do);
    }
    yield* this.#receive(REST, take);
  }

  *#collect(count: number, then: (bytes: Uint8Array) => void): Task {
    const collected: number[] = [];
    yield* this.#receive({ bytes: count, piece: count, gap: 0 }, (bytes) => {
      collected.push(...bytes);
    });
    if (collected.length === count) then(Uint8Array.from(collected));
    else this.#end();
  }

  *#send({ bytes, piece, gap }: Amount, stream: Stream): Task {
    for (let left = bytes; left > 0 && !this.over;) {
      const data = stream.bytes(this.sent, Math.min(piece, left));
      const count = libc.send(this.descriptor, data, data.length, MSG_NOSIGNAL);
      if (count < 0) {
        if (errno() !== EAGAIN) return this.#break();
        this.writable = false;
        yield () => this.writable;
      } else {
        this.sent += count;
        left -= count;
        yield after(gap);
      }
    }
  }

  *#receive({ bytes, piece, gap }: Amount, take: (bytes: Uint8Array) => void): Task {
    for (let left = bytes; left > 0 && !this.sawEnd && !this.over;) {
      const count = libc.recv(this.descriptor, buffer, Math.min(piece, left), 0);
      if (count < 0) {
        if (errno() !== EAGAIN) return this.#break();
        this.readable = false;
        yield () => this.readable;
      } else if (count === 0) {
        this.sawEnd = true;
        this.#closeIfDone();
      } else {
        take(buffer.subarray(0, count));
        this.received += count;
        left -= count;
        yield after(gap);
      }
    }
  }

  #end(): void {
    if (this.over) return;
    if (libc.shutdown(this.descriptor, SHUT_WR) !== 0) return this.#break();
    this.ended = true;
    this.#closeIfDone();
  }

  #part(how: Parting): void {
    if (this.over) return;
    this.parted = how;
    if (how === "reset") this.#closeWithReset();
    else this.#close();
  }

  /** The last call on the socket failed. The system tells that once: the next read may see an end. */
  #break(): void {
    this.sawReset = errorName(errno());
    this.#close();
  }

  #closeIfDone(): void {
    if (this.ended && this.sawEnd) this.#close();
  }

  #close(): void {
    this.over = true;
    libc.close(this.descriptor);
  }

  #closeWithReset(): void {
    this.over = true;
    closeWithReset(this.descriptor);
  }
}

/** What an end did and saw, for people. */
export function describeEnd(end: End): string {
  const { sent, ended, parted, received, sawEnd, sawReset, wrong, stuck } = end;
  const did = [`sent ${sent}`, ended && "ended", parted];
  const saw = [
    `received ${received}`,
    sawEnd && "the end",
    sawReset,
    wrong,
    stuck !== null && `then nothing (${stuck})`,
  ];
  return [...did, ...saw].filter(Boolean).join(", ");
}

function after(milliseconds: number): Ready {
  if (milliseconds === 0) return () => true;
  const time = performance.now() + milliseconds;
  return () => performance.now() >= time;
}
