/**
 * Signals that wait to be read, instead of interrupting (sigprocmask(2), signalfd(2)).
 *
 * @module
 */

import { checked } from "./errno.ts";
import { libc } from "./libc.ts";

/** An operation of pthread_sigmask(3) (bits/sigaction.h). */
export const SIG_BLOCK = 0;

/** Flags of signalfd(2), which are those of open(2). */
export const SFD_NONBLOCK = 0o4000;
export const SFD_CLOEXEC = 0o2000000;

/**
 * Sizes of sigset_t, a bit for each signal from 1 on (bits/types/__sigset_t.h), and of struct
 * signalfd_siginfo, which begins with the signal's number in 32 bits; in bytes.
 */
export const SIZES = { set: 128, info: 128 } as const;

/**
 * Has signals wait. What this thread starts from now on begins like that, and so does the program
 * that takes this one's place.
 */
export function block(signals: readonly number[]): void {
  libc.pthread_sigmask(SIG_BLOCK, setOf(signals), null);
}

/**
 * Makes a descriptor from which signals are read that are blocked in all threads.
 *
 * @throws {SystemError} when that cannot be had
 */
export function openSignals(signals: readonly number[]): number {
  return checked("signalfd", libc.signalfd(-1, setOf(signals), SFD_NONBLOCK | SFD_CLOEXEC));
}

/** Reads a signal. @returns its number; `null` when none waits */
export function readSignal(descriptor: number): number | null {
  const info = new Uint32Array(SIZES.info / 4);
  const count = libc.read(descriptor, new Uint8Array(info.buffer), SIZES.info);
  return count === SIZES.info ? info[0] ?? null : null;
}

function setOf(signals: readonly number[]): Uint8Array<ArrayBuffer> {
  const set = new Uint8Array(SIZES.set);
  for (const signal of signals) {
    const bit = signal - 1;
    set[bit >> 3] = (set[bit >> 3] ?? 0) | 1 << (bit & 7);
  }
  return set;
}
