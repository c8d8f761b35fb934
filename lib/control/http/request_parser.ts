/**
 * HTTP/1.1 requests as they arrive (RFC 9112), in whatever pieces.
 *
 * @module
 */

import { LARGEST_BODY } from "../api.ts";
import { ApiError } from "../errors.ts";
import type { ControlRequest } from "./messages.ts";

/** How long all lines of a request may be together, without those between chunks, in bytes. */
const LARGEST_HEAD = 16 * 1024;

/** How long a line that says the size of a chunk may be, in bytes. */
const LONGEST_SIZE_LINE = 256;

const LF = 0x0a;

/** What comes next. */
type Next =
  | "request line"
  | "headers"
  | "body"
  | "size"
  | "chunk"
  | "chunk end"
  | "trailers"
  | "end";

/** Reads one request. What it keeps is bounded by {@linkcode LARGEST_BODY} and the head. */
export class RequestParser {
  #next: Next = "request line";
  #line = "";
  /** Bytes of lines so far. */
  #head = 0;
  #method = "";
  #target = "";
  #minor = 1;
  readonly #headers = new Map<string, string>();
  /** Bytes that are still to come of the body, or of the chunk. */
  #left = 0;
  #body = new Uint8Array(0);
  #size = 0;

  /** The request; `null` until all of it has arrived. */
  get request(): ControlRequest | null {
    if (this.#next !== "end") return null;
    const { pathname, searchParams } = urlOf(this.#target, this.#headers.get("host"));
    return {
      method: this.#method,
      path: pathname,
      query: searchParams,
      headers: this.#headers,
      body: new TextDecoder().decode(this.#body.subarray(0, this.#size)),
    };
  }

  /** Whether the client understands chunks. */
  get takesChunks(): boolean {
    return this.#minor >= 1;
  }

  /** Whether the client waits for a word before it sends the body (RFC 9110, 10.1.1). */
  get expectsContinue(): boolean {
    const waits = this.#headers.get("expect")?.toLowerCase() === "100-continue";
    return waits && this.#size === 0 && ["body", "size"].includes(this.#next);
  }

  /**
   * Takes what has arrived; what comes after the request is left alone.
   *
   * @throws {ApiError} when it is no request that can be served
   */
  push(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length && this.#next !== "end";) {
      const rest = bytes.subarray(at);
      at += this.#next === "body" || this.#next === "chunk"
        ? this.#takeBody(rest)
        : this.#takeLine(rest);
    }
  }

  /** @returns how many bytes it has taken */
  #takeBody(bytes: Uint8Array): number {
    const taken = bytes.subarray(0, this.#left);
    this.#body.set(taken, this.#size);
    this.#size += taken.length;
    this.#left -= taken.length;
    if (this.#left === 0) this.#next = this.#next === "body" ? "end" : "chunk end";
    return taken.length;
  }

  /** @returns how many bytes it has taken */
  #takeLine(bytes: Uint8Array): number {
    const end = bytes.indexOf(LF);
    const taken = end === -1 ? bytes.length : end + 1;
    const isBetweenChunks = this.#next === "size" || this.#next === "chunk end";
    if (!isBetweenChunks) this.#head += taken;
    const most = isBetweenChunks ? LONGEST_SIZE_LINE : LARGEST_HEAD;
    if (this.#head > LARGEST_HEAD || this.#line.length + taken > most) {
      throw new ApiError("too_large", `The head of the request is larger than ${most} bytes`);
    }
    for (let at = 0; at < taken; at++) this.#line += String.fromCharCode(bytes[at] ?? 0);
    if (end !== -1) {
      const line = this.#line.replace(/\r?\n$/, "");
      this.#line = "";
      this.#takeWholeLine(line);
    }
    return taken;
  }

  #takeWholeLine(line: string): void {
    switch (this.#next) {
      case "request line":
        // Empty lines before it are forgiven (RFC 9112, 2.2).
        if (line !== "") this.#takeRequestLine(line);
        return;
      case "headers":
        return line === "" ? this.#beginBody() : this.#takeHeader(line);
      case "size":
        return this.#beginChunk(line);
      case "chunk end":
        if (line !== "") {
          throw new ApiError("bad_request", "A chunk of the body is longer than it said");
        }
        this.#next = "size";
        return;
      case "trailers":
        if (line === "") this.#next = "end";
    }
  }

  #takeRequestLine(line: string): void {
    const match = /^([!#$%&'*+.^_`|~\w-]+) (\S+) HTTP\/1\.(\d)$/.exec(line);
    if (match === null) throw new ApiError("bad_request", "The request is not HTTP/1.1");
    const [, method = "", target = "", minor] = match;
    this.#method = method;
    this.#target = target;
    this.#minor = Number(minor);
    this.#next = "headers";
  }

  #takeHeader(line: string): void {
    const match = /^([!#$%&'*+.^_`|~\w-]+):[ \t]*(.*?)[ \t]*$/.exec(line);
    if (match === null) throw new ApiError("bad_request", "The request has a header that is none");
    const [, name = "", value = ""] = match;
    const before = this.#headers.get(name.toLowerCase());
    this.#headers.set(name.toLowerCase(), before === undefined ? value : `${before}, ${value}`);
  }

  /** How long it is: RFC 9112, 6.3. */
  #beginBody(): void {
    // Now, so that a body is not waited for in vain.
    urlOf(this.#target, this.#headers.get("host"));
    const coding = this.#headers.get("transfer-encoding")?.toLowerCase();
    const length = this.#headers.get("content-length");
    if (coding !== undefined) {
      if (coding !== "chunked" || length !== undefined) {
        throw new ApiError("bad_request", "The length of the body is not understood");
      }
      this.#next = "size";
      return;
    }
    if (length !== undefined && !/^\d{1,15}$/.test(length)) {
      throw new ApiError("bad_request", "The length of the body is no number");
    }
    this.#expect(Number(length ?? 0));
    this.#next = this.#left === 0 ? "end" : "body";
  }

  /** RFC 9112, 7.1; extensions mean nothing here. */
  #beginChunk(line: string): void {
    const match = /^([\dA-Fa-f]{1,12})[ \t]*(;.*)?$/.exec(line);
    if (match === null) throw new ApiError("bad_request", "A chunk of the body has no size");
    this.#expect(parseInt(match[1] ?? "", 16));
    this.#next = this.#left === 0 ? "trailers" : "chunk";
  }

  /** Makes room for so many more bytes of the body. */
  #expect(bytes: number): void {
    const size = this.#size + bytes;
    if (size > LARGEST_BODY) {
      throw new ApiError("too_large", `The body is larger than ${LARGEST_BODY} bytes`);
    }
    if (size > this.#body.length) {
      const room = new Uint8Array(Math.min(LARGEST_BODY, Math.max(size, 2 * this.#body.length)));
      room.set(this.#body.subarray(0, this.#size));
      this.#body = room;
    }
    this.#left = bytes;
  }
}

/** @throws {ApiError} when the target, or the host, is none (RFC 9112, 3.2) */
function urlOf(target: string, host = "proxy"): URL {
  const origin = URL.parse(`http://${host}`);
  const url = URL.parse(target.startsWith("/") ? `${origin?.origin}${target}` : target);
  if (origin === null || url === null) {
    throw new ApiError("bad_request", "The request has no valid URL");
  }
  return url;
}
