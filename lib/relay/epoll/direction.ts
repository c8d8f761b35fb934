/**
 * One direction of a connection: bytes from one socket to the other.
 *
 * Small messages are received into a buffer that all directions of a thread share, and sent on from
 * there. A direction that fills the buffer is spliced through a pipe from then on, without a copy,
 * until what comes is small again. Only what the other side does not take at once is kept: bounded
 * by the buffer's size, or by the pipe's. Nothing more is read before that is gone.
 *
 * @module
 */

import { EAGAIN, ECONNRESET, EINTR, EPIPE, errno } from "../../linux/errno.ts";
import { libc } from "../../linux/libc.ts";
import { type Pipe, SPLICE_F_MOVE, SPLICE_F_NONBLOCK } from "../../linux/pipe.ts";
import { MSG_NOSIGNAL, sendAtOnce } from "../../linux/socket.ts";
import { Flags } from "./flags.ts";
import type { MovedDirection } from "./moved.ts";
import type { Pipes } from "./pipes.ts";

/** The size of the shared buffer, and so of what is kept for a slow reader, in bytes. */
const BUFFER = 16 * 1024;

/** A splice of less is small, in bytes; after so many in a row it is received and sent again. */
const SMALL = 8 * 1024;
const SMALL_IN_A_ROW = 8;

const SPLICE_FLAGS = SPLICE_F_MOVE | SPLICE_F_NONBLOCK;

/** What {@linkcode Direction.carry} came to: nothing more can be done until an event comes. */
export const WAITS = 0;
/** There is more to do, but it is the turn of others. */
export const MORE = 1;
/** The end has come, and everything before it has been passed on. */
export const ENDED = 2;
/** The socket it reads from is broken. */
export const SOURCE_FAILED = 3;
/** The socket it writes to is broken. */
export const SINK_FAILED = 4;

/** For the steps: instead of a number of bytes. */
const NOTHING = -1;
const BROKEN_SOURCE = -2;
const BROKEN_SINK = -3;
/** Splicing found nothing, but receiving might. */
const DOUBTFUL = -4;

const buffer = new Uint8Array(BUFFER);

/** What was received last by any direction of this thread, as far as that was not spliced. */
export const received: Uint8Array = buffer;

/** One direction. */
export class Direction extends Flags {
  source = -1;
  sink = -1;
  /** Bytes read since somebody set it to 0. */
  bytes = 0;
  /** With which error the sink has failed; 0 if it has not. */
  sinkError = 0;
  #kept: Uint8Array<ArrayBuffer> | null = null;
  #pipe: Pipe | null = null;
  #small = 0;

  /** @param row of its connection */
  constructor(readonly row: number) {
    super();
    this.isFirst = true;
  }

  /** Starts anew. @param delays whether the sink does not send small pieces at once yet */
  begin(source: number, sink: number, delays: boolean): void {
    this.source = source;
    this.sink = sink;
    this.clear();
    this.delays = delays;
    this.isFirst = true;
    this.bytes = this.sinkError = this.#small = 0;
    this.#kept = null;
  }

  /** Has something of our own sent before all that is read; it is not counted. */
  sendFirst(bytes: Uint8Array<ArrayBuffer>): void {
    this.#kept = bytes;
    this.blocked = true;
    this.isFirst = false;
  }

  /** Goes on where another process has left off. */
  restore(moved: MovedDirection | null): void {
    if (moved === null) return;
    this.ended = moved.ended;
    this.done = moved.done;
    this.#kept = moved.kept;
    if (moved.pipe !== null) this.#pipe = { ...moved.pipe };
    this.blocked = moved.kept !== null || moved.pipe !== null;
  }

  /** Whether it has not ended, and has nothing in flight. */
  get isPlain(): boolean {
    return !this.ended && this.#kept === null && this.#pipe === null;
  }

  /** What another process needs to know to go on; `null` for nothing. */
  get moved(): MovedDirection | null {
    if (this.isPlain) return null;
    const { ended, done } = this;
    const pipe = this.#pipe === null ? null : { ...this.#pipe };
    const kept = this.#kept === null ? null : new Uint8Array(this.#kept);
    return { ended, done, kept, pipe };
  }

  /** Drops what is kept. */
  drop(pipes: Pipes): void {
    this.#kept = null;
    if (this.#pipe !== null) pipes.discard(this.#pipe);
    this.#pipe = null;
  }

  /**
   * Its connection is over: the numbers of its sockets are somebody else's from now on, so that
   * nothing that was still to be carried may be.
   */
  end(pipes: Pipes): void {
    this.drop(pipes);
    this.isPostponed = false;
    this.readable = this.blocked = this.stopped = false;
    this.source = this.sink = -1;
  }

  /** The sink has failed: drops what is kept for it, and what is read from now on. */
  dropFromNowOn(pipes: Pipes): void {
    this.drop(pipes);
    this.drops = true;
    this.blocked = this.stopped = false;
    this.readable = !this.ended;
  }

  /**
   * Moves what can be moved.
   *
   * @param most before the others have their turn, in bytes
   */
  carry(pipes: Pipes, most: number): number {
    if (this.drops) return this.#readAndDrop(most);
    if (this.blocked) {
      const flushed = this.#pipe === null ? this.#sendKept() : this.#flush(this.#pipe);
      if (flushed !== 0) return flushed === BROKEN_SINK ? SINK_FAILED : WAITS;
      this.blocked = false;
    }
    if (this.looks) this.#giveBack(pipes);
    let left = most;
    while (this.readable && !this.stopped) {
      if (this.isBulk && this.#pipe === null && !this.looks) this.#pipe = pipes.take();
      const count = this.#pipe === null ? this.#copy() : this.#splice(this.#pipe, most);
      if (count > 0) {
        this.bytes += count;
        if (this.blocked) return WAITS;
        left -= count;
        if (left <= 0 || this.looks) break;
      } else if (count === 0) {
        this.ended = true;
        this.readable = false;
      } else if (count === DOUBTFUL) {
        this.isBulk = false;
        this.#giveBack(pipes);
      } else if (count !== NOTHING) {
        return count === BROKEN_SINK ? SINK_FAILED : SOURCE_FAILED;
      }
    }
    this.#giveBack(pipes);
    if (this.ended) {
      this.done = true;
      return ENDED;
    }
    return this.readable && !this.stopped ? MORE : WAITS;
  }

  #giveBack(pipes: Pipes): void {
    if (this.#pipe === null) return;
    pipes.giveBack(this.#pipe);
    this.#pipe = null;
  }

  #readAndDrop(most: number): number {
    for (let left = most; this.readable && left > 0;) {
      const count = libc.recv(this.source, buffer, BUFFER, 0);
      if (count < 0) {
        if (this.#readFailed() === BROKEN_SOURCE) return SOURCE_FAILED;
      } else if (count === 0) {
        this.ended = true;
        this.readable = false;
        return ENDED;
      }
      left -= count;
    }
    return this.readable ? MORE : WAITS;
  }

  /** @returns how many bytes were read, 0 at the end, or one of the constants */
  #copy(): number {
    const count = libc.recv(this.source, buffer, BUFFER, 0);
    if (count <= 0) return count === 0 ? 0 : this.#readFailed();
    if (count < BUFFER) this.readable = this.thorough;
    else this.isBulk = true;
    if (this.delays) this.#sendAtOnce();
    let sent = libc.send(this.sink, buffer, count, MSG_NOSIGNAL);
    this.hasMoved = true;
    if (sent === count) return count;
    if (sent < 0) {
      if (this.#writeFailed() === BROKEN_SINK) return BROKEN_SINK;
      sent = 0;
    }
    this.#kept = buffer.slice(sent, count);
    // Only a refusal makes the system tell when there is room again.
    const flushed = this.#sendKept();
    if (flushed === BROKEN_SINK) return BROKEN_SINK;
    this.blocked = flushed === NOTHING;
    return count;
  }

  #splice(pipe: Pipe, most: number): number {
    const size = Math.min(pipe.size, most);
    const count = libc.splice(this.source, null, pipe.writer, null, size, SPLICE_FLAGS);
    if (count <= 0) {
      const found = count === 0 ? 0 : this.#readFailed();
      // Splicing stops before urgent data for good, and takes what is left for nothing, or the end.
      const isCertain = found === BROKEN_SOURCE || found === NOTHING && !this.thorough;
      if (isCertain) return found;
      this.readable = true;
      return DOUBTFUL;
    }
    pipe.bytes = count;
    if (this.delays) this.#sendAtOnce();
    if (count >= SMALL) {
      this.#small = 0;
    } else if (++this.#small === SMALL_IN_A_ROW) {
      this.isBulk = false;
      this.#small = 0;
    }
    const flushed = this.#flush(pipe);
    if (flushed === BROKEN_SINK) return BROKEN_SINK;
    this.blocked = flushed === NOTHING;
    return count;
  }

  /** Nothing delays the first piece, and many a connection has no second one. */
  #sendAtOnce(): void {
    if (this.isFirst) {
      this.isFirst = false;
    } else {
      this.delays = false;
      sendAtOnce(this.sink);
    }
  }

  #readFailed(): number {
    if (!isForNow()) return BROKEN_SOURCE;
    this.readable = false;
    return NOTHING;
  }

  #writeFailed(): number {
    if (isForNow()) return NOTHING;
    this.sinkError = errno();
    return BROKEN_SINK;
  }

  /** @returns 0 when the pipe is empty, or one of the constants */
  #flush(pipe: Pipe): number {
    for (let isFirst = true; pipe.bytes > 0; isFirst = false) {
      const count = libc.splice(pipe.reader, null, this.sink, null, pipe.bytes, SPLICE_FLAGS);
      if (count < 0) {
        const failed = this.#writeFailed();
        // A call that passed something on says nothing of the reset that stopped it, and the next one
        // only EPIPE, as after an end (splice_to_socket in fs/splice.c).
        if (!isFirst && this.sinkError === EPIPE) this.sinkError = ECONNRESET;
        return failed;
      }
      pipe.bytes -= count;
      this.hasMoved = true;
    }
    return 0;
  }

  /** @returns 0 when nothing is kept any more, or one of the constants */
  #sendKept(): number {
    while (this.#kept !== null) {
      const count = libc.send(this.sink, this.#kept, this.#kept.length, MSG_NOSIGNAL);
      if (count < 0) return this.#writeFailed();
      this.hasMoved = true;
      this.#kept = count === this.#kept.length ? null : this.#kept.subarray(count);
    }
    return 0;
  }
}

/** Whether a call failed only because it would have had to wait. */
function isForNow(): boolean {
  const error = errno();
  return error === EAGAIN || error === EINTR;
}
