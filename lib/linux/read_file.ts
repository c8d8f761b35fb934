import { checked } from "./errno.ts";
import { libc } from "./libc.ts";

/** Flags of open(2). */
const O_RDONLY = 0;
const O_CLOEXEC = 0o2000000;

const PIECE = 4096;

/**
 * Reads a text file to its end. Deno gives most of /proc only to programs that may do everything.
 *
 * @throws {SystemError} when it cannot be read
 */
export function readFile(path: string): string {
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
