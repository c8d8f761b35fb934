import { libc } from "./libc.ts";

/** CLOCK_MONOTONIC (linux/time.h). */
export const CLOCK_MONOTONIC = 1;

/** struct timespec, in 32-bit words: two 64-bit integers (timespec(3type)). */
export const TIMESPEC = { words: 4, seconds: 0, nanoseconds: 2 } as const;

const time = new Uint8Array(TIMESPEC.words * 4);
const words = new Uint32Array(time.buffer);

/**
 * Milliseconds by the monotonic clock, the same in all threads and processes since the machine
 * started.
 */
export function now(): number {
  libc.clock_gettime(CLOCK_MONOTONIC, time);
  return (words[TIMESPEC.seconds] ?? 0) * 1000 + (words[TIMESPEC.nanoseconds] ?? 0) / 1e6;
}
