import { within } from "../../within.ts";
import { ApiError } from "../errors.ts";
import {
  type ControlAnswer,
  type ControlRequest,
  errorAnswer,
  type Handler,
  type Headers,
  PATIENCE,
} from "./messages.ts";
import { RequestParser } from "./request_parser.ts";

/** How long those are listened to who still send what was refused, in milliseconds. */
const LINGER = 1000;

/** How much is read at a time, in bytes. */
const PIECE = 16 * 1024;

const encoder = new TextEncoder();

/** A connection of a client, which asks once and is answered. */
export class ControlConnection {
  /** When it was accepted, by `performance.now()`. */
  readonly since = performance.now();
  readonly #socket: Deno.Conn;
  readonly #always: Headers;
  readonly #parser = new RequestParser();
  readonly #buffer = new Uint8Array(PIECE);
  #hasAsked = false;
  #isClosed = false;

  /** @param always headers of every answer */
  constructor(socket: Deno.Conn, always: Headers) {
    this.#socket = socket;
    this.#always = always;
  }

  /** Whether its request has arrived. */
  get hasAsked(): boolean {
    return this.#hasAsked;
  }

  /** Closes it, whatever it is doing. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#socket.close();
  }

  /** Serves it; resolves when it is closed. */
  async serve(handler: Handler): Promise<void> {
    try {
      const request = await this.#receive();
      if (request !== null) await this.#answer(await handler(request), request.method === "HEAD");
    } catch (error) {
      if (error instanceof ApiError) await this.#refuse(error);
    } finally {
      this.close();
    }
  }

  /**
   * @returns `null` if the client leaves, or takes too long
   * @throws {ApiError} when it is no request that can be served
   */
  async #receive(): Promise<ControlRequest | null> {
    // No race for each piece: of a promise that stays, every race is remembered.
    const timer = setTimeout(() => this.#tooLate(), PATIENCE);
    try {
      let isAwaited = false;
      for (;;) {
        const piece = await this.#read();
        if (piece === null) return null;
        this.#parser.push(piece);
        const { request, expectsContinue } = this.#parser;
        if (request !== null) {
          this.#hasAsked = true;
          return request;
        }
        if (expectsContinue && !isAwaited) await this.#write("HTTP/1.1 100 Continue\r\n\r\n");
        isAwaited = expectsContinue;
      }
    } finally {
      clearTimeout(timer);
    }
  }

  async #tooLate(): Promise<void> {
    await this.#answer(errorAnswer("request_timeout", "The request did not arrive"));
    this.close();
  }

  /** Reads on for a while, so that the answer is not lost to who is still sending. */
  async #refuse({ code, message }: ApiError): Promise<void> {
    await this.#answer(errorAnswer(code, message));
    await this.#socket.closeWrite().catch(() => {});
    await within(this.#readAll(), LINGER);
  }

  async #answer(answer: ControlAnswer, isHead = false): Promise<void> {
    const { body } = answer;
    const { takesChunks } = this.#parser;
    if (typeof body === "string") {
      const length = encoder.encode(body).length;
      const head = headOf(answer, this.#always, `content-length: ${length}`);
      await this.#write(isHead ? head : head + body);
      return;
    }
    let begin = headOf(answer, this.#always, takesChunks ? "transfer-encoding: chunked" : "");
    const write = (text: string, patience?: number) => {
      const piece = begin + (takesChunks ? chunk(text) : text);
      begin = "";
      return this.#write(piece, patience);
    };
    if (!isHead) await body({ write, silent: this.#readAll() });
    await this.#write(takesChunks && !isHead ? `${begin}0\r\n\r\n` : begin);
  }

  /** Reads until the client says no more. */
  async #readAll(): Promise<void> {
    while (await this.#read() !== null);
  }

  /** @returns `null` at the end, and when the client is gone */
  async #read(): Promise<Uint8Array | null> {
    const count = await this.#socket.read(this.#buffer).catch(() => null);
    return count === null ? null : this.#buffer.subarray(0, count);
  }

  /** Closes the connection if it takes too long. @returns whether that could be written */
  async #write(text: string, patience = PATIENCE): Promise<boolean> {
    const timer = patience < Infinity ? setTimeout(() => this.close(), patience) : undefined;
    try {
      let bytes = encoder.encode(text);
      while (bytes.length > 0) bytes = bytes.subarray(await this.#socket.write(bytes));
      return true;
    } catch {
      return false;
    } finally {
      clearTimeout(timer);
    }
  }
}

function headOf({ status, headers }: ControlAnswer, always: Headers, framing: string): string {
  const lines = [
    `HTTP/1.1 ${status} ${status === 200 ? "OK" : "Refused"}`,
    ...Object.entries({ ...always, ...headers }).map(([name, value]) => `${name}: ${value}`),
    `date: ${new Date().toUTCString()}`,
    "connection: close",
    ...framing === "" ? [] : [framing],
  ];
  return `${lines.join("\r\n")}\r\n\r\n`;
}

/** A piece of a body whose length is not known (RFC 9112, 7.1). */
function chunk(text: string): string {
  return `${encoder.encode(text).length.toString(16)}\r\n${text}\r\n`;
}
