import { checked } from "./errno.ts";
import { libc } from "./libc.ts";

/** Flags of eventfd(2) (bits/eventfd.h). */
export const EFD_NONBLOCK = 0o4000;
export const EFD_CLOEXEC = 0o2000000;

/** What is written to, and read from, an eventfd: one 64-bit integer. */
const one = new Uint8Array(new BigUint64Array([1n]).buffer);
const count = new Uint8Array(8);

/**
 * A descriptor with which one thread wakes another (eventfd(2)).
 *
 * @throws {SystemError} when there is no descriptor for it
 */
export function makeEventCounter(): number {
  return checked("eventfd", libc.eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
}

/** Makes it readable. */
export function raise(descriptor: number): void {
  libc.write(descriptor, one, one.length);
}

/** Makes it unreadable again. */
export function clear(descriptor: number): void {
  libc.read(descriptor, count, count.length);
}
