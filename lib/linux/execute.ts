import { SystemError } from "./errno.ts";
import { libc } from "./libc.ts";

/** An operation of fcntl(2), and its only flag (bits/fcntl-linux.h). */
const F_SETFD = 2;

/** Has a descriptor stay open when another program takes the place of this one. */
export function keepOpen(descriptor: number): void {
  libc.fcntl(descriptor, F_SETFD, 0);
}

/**
 * Has another program take the place of this one, in the same process and with the same environment
 * (execve(2)).
 *
 * @param args the first is the name that it is shown with
 * @throws {SystemError} when it cannot be started; otherwise this does not return
 */
export function execute(path: string, args: readonly string[]): never {
  const texts = args.map((text) => new TextEncoder().encode(`${text}\0`));
  const pointers = new BigUint64Array(texts.length + 1);
  for (const [index, text] of texts.entries()) {
    pointers[index] = Deno.UnsafePointer.value(Deno.UnsafePointer.of(text));
  }
  libc.execv(new TextEncoder().encode(`${path}\0`), new Uint8Array(pointers.buffer));
  throw new SystemError(`execve ${path}`);
}
