/**
 * What the server answers: bytes in, replies out. No input or output here.
 *
 * @module
 */

import { LineDecoder, LineTooLong } from "./lines.ts";
import { printable } from "../printable.ts";

/** What a session needs to know. */
export interface SessionOptions {
  /** The answer to `hello`. */
  readonly greeting: string;
  /** How many bytes a line may have, its ending not counted. */
  readonly maxLine: number;
}

/**
 * Checks a greeting: a reply is one line.
 *
 * @throws {RangeError} when it is more
 */
export function parseGreeting(text: string): string {
  if (/[\r\n]/.test(text)) throw new RangeError("a greeting is a single line");
  return text;
}

// Bytes that are not UTF-8 become U+FFFD, and a byte order mark is a character like others.
const utf8 = new TextDecoder("utf-8", { ignoreBOM: true });

/** The server's side of one connection. */
export class Session {
  readonly #greeting: string;
  readonly #lines: LineDecoder;
  #closed = false;

  constructor({ greeting, maxLine }: SessionOptions) {
    this.#greeting = greeting;
    this.#lines = new LineDecoder(maxLine);
  }

  /** Whether the server has said its last word: what the client sends from now on is ignored. */
  get closed(): boolean {
    return this.#closed;
  }

  /**
   * Yields the replies to what these bytes complete. It is lazy, so that the replies to many short
   * lines need not be held in memory at once.
   */
  *receive(bytes: Uint8Array): Generator<string, void> {
    if (this.#closed) return;
    try {
      for (const line of this.#lines.decode(bytes)) {
        yield* this.#answer(line);
        if (this.#closed) return;
      }
    } catch (error) {
      yield this.#refuse(error);
    }
  }

  /** Yields the reply to a last line without an ending, once the client sends nothing more. */
  *end(): Generator<string, void> {
    if (this.#closed) return;
    try {
      const line = this.#lines.end();
      if (line !== null) yield* this.#answer(line);
    } catch (error) {
      yield this.#refuse(error);
    }
    this.#closed = true;
  }

  *#answer(line: Uint8Array): Generator<string, void> {
    const command = utf8.decode(line);
    if (command === "") return;
    if (command === "hello") yield reply(this.#greeting);
    else if (command === "quit") this.#closed = true;
    else yield reply(`Unknown command: "${printable(command)}". Say "hello" or "quit".`);
  }

  #refuse(error: unknown): string {
    if (!(error instanceof LineTooLong)) throw error;
    this.#closed = true;
    return reply("Line too long.");
  }
}

function reply(line: string): string {
  return `${line}\r\n`;
}
