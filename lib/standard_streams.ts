/**
 * Writing to stdout and stderr at once and whole.
 *
 * @module
 */

import { printableLines } from "./printable.ts";

/**
 * Writes a line, or several, to stderr, at once and whole, and nothing that a terminal would obey. A
 * stderr that is gone is no reason to fail.
 */
export function writeError(text: string): void {
  try {
    writeAll(Deno.stderr, `${printableLines(text)}\n`);
  } catch { /* nobody is left to be told */ }
}

/**
 * Writes text to stdout or stderr, all of it.
 *
 * @throws {Deno.errors.BrokenPipe} when the reader is gone
 */
export function writeAll(stream: typeof Deno.stdout | typeof Deno.stderr, text: string): void {
  let bytes = new TextEncoder().encode(text);
  while (bytes.length > 0) bytes = bytes.subarray(stream.writeSync(bytes));
}
