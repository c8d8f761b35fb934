import { EAGAIN, errno, SystemError } from "./errno.ts";
import { libc } from "./libc.ts";

/** Flags of open(2) (asm-generic/fcntl.h; aarch64 has its own for the second). */
const O_RDWR = 2;
const O_NONBLOCK = 0o4000;
const O_NOFOLLOW = Deno.build.arch === "aarch64" ? 0o100000 : 0o400000;
const O_CLOEXEC = 0o2000000;

/** Operations of flock(2) (bits/fcntl-linux.h). */
const LOCK_EX = 2;
const LOCK_NB = 4;

/**
 * Locks a file, for as long as the descriptor, or one that was made of it and passed on, is open.
 *
 * @returns its descriptor; `null` if it is locked by somebody else
 * @throws {SystemError} when it cannot be opened
 */
export function tryLock(path: string): number | null {
  const descriptor = open(path);
  if (lock(descriptor)) {
    // Somebody may have removed it just before, and then it is another file that counts.
    const again = open(path);
    const isAnother = lock(again);
    libc.close(again);
    if (!isAnother) return descriptor;
  }
  libc.close(descriptor);
  return null;
}

function open(path: string): number {
  const name = new TextEncoder().encode(`${path}\0`);
  const descriptor = libc.open(name, O_RDWR | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC, 0);
  if (descriptor < 0) throw new SystemError(`open ${path}`);
  return descriptor;
}

function lock(descriptor: number): boolean {
  if (libc.flock(descriptor, LOCK_EX | LOCK_NB) === 0) return true;
  if (errno() === EAGAIN) return false;
  throw new SystemError("flock");
}
