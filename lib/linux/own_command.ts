/**
 * The command that this process was started with.
 *
 * Deno gives the path of the executable with all links resolved, and /proc only to programs that may
 * do everything; the system knows both.
 *
 * @module
 */

import { resolve } from "node:path";
import { checked } from "./errno.ts";
import { libc } from "./libc.ts";

/** The path that execve(2) was given (getauxval(3), linux/auxvec.h). */
const AT_EXECFN = 31;

/** Flags of open(2). */
const O_RDONLY = 0;
const O_CLOEXEC = 0o2000000;

const PIECE = 4096;

/** What it was started with. */
export interface OwnCommand {
  /** The path of the executable, as it was given: what is behind it, or behind a link, may change. */
  readonly path: string;
  readonly args: readonly string[];
}

/** The working directory at the start: the path may be relative to it. */
const directory = Deno.cwd();

/**
 * Finds out what this process was started with.
 *
 * @throws {SystemError} when that cannot be read
 */
export function ownCommand(): OwnCommand {
  const name = libc.getauxval(AT_EXECFN);
  const path = name === null ? Deno.execPath() : Deno.UnsafePointerView.getCString(name);
  const [, ...args] = readAll("/proc/self/cmdline").split("\0").slice(0, -1);
  return { path: resolve(directory, path), args };
}

function readAll(path: string): string {
  const file = new TextEncoder().encode(`${path}\0`);
  const descriptor = checked(`open ${path}`, libc.open(file, O_RDONLY | O_CLOEXEC, 0));
  const decoder = new TextDecoder();
  const buffer = new Uint8Array(PIECE);
  let text = "";
  try {
    for (;;) {
      const count = checked(`read ${path}`, libc.read(descriptor, buffer, PIECE));
      if (count === 0) return text + decoder.decode();
      text += decoder.decode(buffer.subarray(0, count), { stream: true });
    }
  } finally {
    libc.close(descriptor);
  }
}
