/**
 * What went wrong in a call of the C library: `errno`, its names and its sentences.
 *
 * @module
 */

import { nameOfError } from "./error_names.ts";
import { libc } from "./libc.ts";

/** Numbers of errors that the code tells apart (errno(3), asm-generic/errno.h of Linux). */
export const EINTR = 4;
export const ESRCH = 3;
export const EAGAIN = 11;
export const EINVAL = 22;
export const EMFILE = 24;
export const EPIPE = 32;
export const ENFILE = 23;
export const ENOBUFS = 105;
export const ENOMEM = 12;
export const ENODATA = 61;
export const ENOPROTOOPT = 92;
export const EADDRNOTAVAIL = 99;
export const EAFNOSUPPORT = 97;
export const ECONNREFUSED = 111;
export const ECONNRESET = 104;
export const ENAMETOOLONG = 36;
export const ETOOMANYREFS = 109;
export const ETIMEDOUT = 110;
export const EINPROGRESS = 115;

/** Whether an error says that the system, or the process, has no more of something: it may later. */
export function isLack(number: number): boolean {
  return number === EMFILE || number === ENFILE || number === ENOBUFS || number === ENOMEM;
}

/** The thread's own `errno`. A Worker never leaves its thread, so this is asked for once. */
const location = new Int32Array(Deno.UnsafePointerView.getArrayBuffer(here(), 4));

function here(): Deno.PointerObject {
  const pointer = libc.__errno_location();
  if (pointer === null) throw new Error("The C library has no errno");
  return pointer;
}

/** The number of the last error of this thread; to be read right after the call that failed. */
export function errno(): number {
  return location[0] ?? 0;
}

/** The name of an error: `ECONNREFUSED`. */
export function errorName(number: number): string {
  return nameOfError(number) ?? `error ${number}`;
}

/** What an error means, with its name: `Connection refused (ECONNREFUSED)`. */
export function describeError(number: number): string {
  const text = libc.strerror(number);
  const sentence = text === null ? "Unknown" : Deno.UnsafePointerView.getCString(text);
  return `${sentence} (${errorName(number)})`;
}

/** A call of the C library that failed. */
export class SystemError extends Error {
  override readonly name = "SystemError";
  /** As errors of Deno and Node have it: `EADDRINUSE`. */
  readonly code: string;

  /**
   * @param what the call: `bind`
   * @param number the error, by default the last one of this thread
   */
  constructor(what: string, readonly number: number = errno()) {
    super(`${what}: ${describeError(number)}`);
    this.code = errorName(number);
  }
}

/**
 * Passes on the result of a call.
 *
 * @throws {SystemError} when it is negative
 */
export function checked(what: string, result: number): number {
  if (result < 0) throw new SystemError(what);
  return result;
}
