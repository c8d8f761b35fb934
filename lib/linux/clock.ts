import { libc } from "./libc.ts";

/** CLOCK_MONOTONIC (linux/time.h). */
const CLOCK_MONOTONIC = 1;

/** struct timespec: two 64-bit integers, seconds and nanoseconds (timespec(3type)). */
const time = new Uint8Array(16);
const words = new Uint32Array(time.buffer);

/**
 * Milliseconds by the monotonic clock, the same in all threads and processes since the machine
 * started.
 */
export function now(): number {
  libc.clock_gettime(CLOCK_MONOTONIC, time);
  return (words[0] ?? 0) * 1000 + (words[2] ?? 0) / 1e6;
}
