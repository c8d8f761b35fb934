/**
 * Small text files under names that anything could be found under. Nothing is waited for, as the
 * other end of a FIFO would be, and no link is followed.
 *
 * @module
 */

import { closeSync, constants, fstatSync, openSync, readFileSync, writeFileSync } from "node:fs";
import { codeOf } from "./code_of.ts";

const { O_APPEND, O_CREAT, O_NOFOLLOW, O_NONBLOCK, O_RDONLY, O_TRUNC, O_WRONLY } = constants;

/** What is there under the name of a file is something else. */
export class NotRegular extends Error {
  override name = "NotRegular";

  constructor(path: string) {
    super(`${path} is not a regular file`);
  }
}

/**
 * Reads a file.
 *
 * @throws {NotRegular} when it is no regular file
 * @throws with a `code` of Node's, `ENOENT` among them, when it cannot be read
 */
export function readRegularFile(path: string): string {
  return withFile(path, O_RDONLY, (descriptor) => readFileSync(descriptor, "utf8"));
}

/**
 * Writes a file, for its owner only; it need not be there.
 *
 * @param how instead of what is in it, or behind that
 * @throws as {@linkcode readRegularFile}
 */
export function writeRegularFile(path: string, text: string, how: "instead" | "behind"): void {
  const flags = O_WRONLY | O_CREAT | (how === "behind" ? O_APPEND : O_TRUNC);
  withFile(path, flags, (descriptor) => writeFileSync(descriptor, text));
}

/** Whether an error says that there is no such file. */
export function isNotFound(error: unknown): boolean {
  return codeOf(error) === "ENOENT";
}

function withFile<T>(path: string, flags: number, use: (descriptor: number) => T): T {
  const descriptor = open(path, flags);
  try {
    if (!fstatSync(descriptor).isFile()) throw new NotRegular(path);
    return use(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

function open(path: string, flags: number): number {
  try {
    return openSync(path, flags | O_NONBLOCK | O_NOFOLLOW, 0o600);
  } catch (error) {
    // A link, a socket, a FIFO that nobody reads, a directory (open(2)).
    const isSomethingElse = ["ELOOP", "ENXIO", "EISDIR"].includes(codeOf(error));
    throw isSomethingElse ? new NotRegular(path) : error;
  }
}
