import { closePipe, makePipe, type Pipe } from "../../linux/pipe.ts";

/** What a pipe should hold, in bytes; users other than root get 64 such pipes (pipe(7)). */
const SIZE = 1024 * 1024;

/** How many empty pipes are kept for the next one who needs one. */
const KEPT = 16;

/** After how many who needed a pipe the system is asked again when it has refused one. */
const ASK_AGAIN = 1000;

/** Pipes to splice through. A direction has one only while there are bytes in it. */
export class Pipes {
  readonly #free: Pipe[] = [];
  readonly #most: number;
  #count = 0;
  /** How often not to ask the system for another pipe. */
  #patience = 0;

  /** @param most how many there may be at the same time */
  constructor(most: number) {
    this.#most = most;
  }

  /** An empty pipe; `null` if there are too many, or the system grants no more. */
  take(): Pipe | null {
    const free = this.#free.pop();
    if (free !== undefined) return free;
    if (this.#count >= this.#most || this.#patience-- > 0) return null;
    const pipe = makePipe(SIZE);
    if (pipe === null) this.#patience = ASK_AGAIN;
    else this.#count++;
    return pipe;
  }

  /** Gives an empty pipe back. */
  giveBack(pipe: Pipe): void {
    if (this.#free.length < KEPT) this.#free.push(pipe);
    else this.discard(pipe);
  }

  /** Closes a pipe with what is in it. */
  discard(pipe: Pipe): void {
    this.#count--;
    this.#patience = 0;
    closePipe(pipe);
  }

  /** Closes those that are not in use. */
  close(): void {
    for (const pipe of this.#free.splice(0)) this.discard(pipe);
  }
}
