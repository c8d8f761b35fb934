/**
 * The client's side of a connection: lines out, replies in, and whose turn it is.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { connect, type Socket } from "node:net";
import { type Address, formatAddress } from "../address.ts";
import { codeOf } from "../code_of.ts";
import { Failure } from "../failure.ts";
import { LineDecoder, LineTooLong } from "./lines.ts";
import { Patience } from "./patience.ts";
import { send } from "./sending.ts";
import { describeSocketError } from "./socket_errors.ts";

/** The longest reply that is believed to be one. */
const LONGEST_REPLY = 1024 * 1024;

/** How long an answer may take before the user is told. */
const PATIENCE = 1000;

const LINE_END = new TextEncoder().encode("\r\n");
const QUIT = "quit";

/** A connection to the server. */
export class Conversation {
  /** Where it leads to, as an address. */
  readonly server: string;
  readonly #socket: Socket;
  readonly #patience: Patience;
  #unanswered = 0;
  #quit = false;

  private constructor(socket: Socket, server: string, patience: Patience) {
    this.#socket = socket;
    this.server = server;
    this.#patience = patience;
  }

  /**
   * Connects to a server; a name with several addresses is tried at one after the other.
   *
   * @param say is called with a sentence when an answer, or already the connection, is late
   * @throws {Failure} when no connection can be made
   */
  static async connect(address: Address, say: (sentence: string) => void): Promise<Conversation> {
    const server = formatAddress(address);
    const patience = new Patience(
      PATIENCE,
      () => say(`Still waiting for ${server} to answer: it may have queued us behind an upgrade`),
    );
    patience.begin();
    const socket = connect({
      ...address,
      allowHalfOpen: true,
      autoSelectFamily: true,
      noDelay: true,
    });
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    socket.on("connect", resolve);
    socket.on("error", reject); // stays, so that no later error is without a listener
    try {
      await promise;
    } catch (error) {
      const advice = codeOf(error) === "ECONNREFUSED" ? "; start the server, or name another" : "";
      throw new Failure(
        `Failed to connect to ${server}: ${describeSocketError(error)}${advice}`,
        1,
        { cause: error },
      );
    } finally {
      patience.end();
    }
    return new Conversation(socket, server, patience);
  }

  /**
   * Sends lines, given without their endings, and waits while the server is slow to take them.
   * After `quit` nothing is sent any more: the server would ignore it.
   */
  async send(lines: Iterable<Uint8Array>): Promise<void> {
    const outgoing: Uint8Array[] = [];
    for (const line of lines) {
      if (this.#quit) break;
      outgoing.push(line, LINE_END);
      this.#expect(line);
    }
    if (outgoing.length > 0) await send(this.#socket, Buffer.concat(outgoing));
  }

  /** Says that nothing more will be sent. */
  end(): void {
    this.#socket.end();
    this.#patience.begin(); // for the server to end as well
  }

  /**
   * Yields the replies, without their endings and those together that came together, until the
   * server ends the conversation.
   *
   * @throws {Failure} when the connection breaks, or ends with something unanswered
   */
  async *replies(): AsyncGenerator<Uint8Array[], void> {
    const decoder = new LineDecoder(LONGEST_REPLY);
    try {
      for await (const bytes of this.#socket.iterator({ destroyOnReturn: false })) {
        const replies = Array.from(decoder.decode(bytes));
        this.#answered(replies.length);
        if (replies.length > 0) yield replies;
      }
      const last = decoder.end();
      if (last !== null) yield [last];
    } catch (error) {
      throw new Failure(this.#explain(error), 1, { cause: error });
    } finally {
      this.#patience.end();
      this.#socket.destroy();
    }
    if (this.#unanswered > 0 && !this.#quit) {
      throw new Failure(
        `The connection to ${this.server} ended before everything was answered: ` +
          `${this.#unanswered} sent without an answer`,
      );
    }
  }

  #expect(line: Uint8Array): void {
    if (line.length === 0) return; // the server ignores empty lines
    if (line.length === QUIT.length && new TextDecoder().decode(line) === QUIT) this.#quit = true;
    else this.#unanswered++;
    this.#patience.begin();
  }

  #answered(count: number): void {
    if (count === 0) return;
    this.#unanswered = Math.max(0, this.#unanswered - count);
    this.#patience.end();
    if (this.#unanswered > 0 || this.#quit || this.#socket.writableEnded) this.#patience.begin();
  }

  #explain(error: unknown): string {
    return error instanceof LineTooLong
      ? `Failed to read a reply of ${this.server}: ${error.message}; is this the right server?`
      : `The connection to ${this.server} broke: ${describeSocketError(error)}`;
  }
}
