import { checked } from "./errno.ts";
import { libc } from "./libc.ts";

/** The longest path, in bytes (PATH_MAX, linux/limits.h). */
const LONGEST_PATH = 4096;

/**
 * Where a link leads (readlink(2)).
 *
 * @throws {SystemError} when it is none
 */
export function targetOf(path: string): string {
  const buffer = new Uint8Array(LONGEST_PATH);
  const name = new TextEncoder().encode(`${path}\0`);
  const length = checked(`readlink ${path}`, libc.readlink(name, buffer, buffer.length));
  return new TextDecoder().decode(buffer.subarray(0, length));
}
