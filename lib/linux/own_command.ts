/**
 * The command that this process was started with.
 *
 * Deno gives the path of the executable with all links resolved, and /proc only to programs that may
 * do everything; the system knows both.
 *
 * @module
 */

import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { libc } from "./libc.ts";
import { readFile } from "./read_file.ts";

/** The path that execve(2) was given (getauxval(3), linux/auxvec.h). */
const AT_EXECFN = 31;

/** What it was started with. */
export interface OwnCommand {
  /** The path of the executable, as it was given: what is behind it, or behind a link, may change. */
  readonly path: string;
  readonly args: readonly string[];
}

/**
 * Finds out what this process was started with. To be asked at the start: the working directory, to
 * which it may be relative, can be gone later.
 *
 * @throws {SystemError} when that cannot be read
 */
export function ownCommand(): OwnCommand {
  const name = libc.getauxval(AT_EXECFN);
  const path = name === null ? Deno.execPath() : Deno.UnsafePointerView.getCString(name);
  const [, ...args] = readFile("/proc/self/cmdline").split("\0").slice(0, -1);
  return { path: resolve(path), args: args.map(absoluteScript) };
}

/** From source one of the arguments is the script, which may be relative as well. */
function absoluteScript(argument: string): string {
  const path = resolve(argument);
  return pathToFileURL(path).href === Deno.mainModule ? path : argument;
}
