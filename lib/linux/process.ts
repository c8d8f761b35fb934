/**
 * Another process, by a descriptor that stays its own even when its number is used again.
 *
 * @module
 */

import { checked } from "./errno.ts";
import { libc } from "./libc.ts";
import { becomesReadable } from "./poll.ts";

/** Numbers of system calls, the same on all processors (asm-generic/unistd.h). */
const SYS_PIDFD_SEND_SIGNAL = 424;
const SYS_PIDFD_OPEN = 434;

const SIGKILL = 9;

/**
 * Opens a process.
 *
 * @returns its descriptor (pidfd_open(2))
 * @throws {SystemError} when there is no such process
 */
export function openProcess(pid: number): number {
  return checked("pidfd_open", libc.syscall(SYS_PIDFD_OPEN, pid, 0, 0, 0));
}

/**
 * Waits until a process is dead.
 *
 * @param timeout in milliseconds
 * @returns whether it is
 */
export function dies(descriptor: number, timeout: number): boolean {
  return becomesReadable(descriptor, timeout);
}

/**
 * Kills a process and waits until it is dead.
 *
 * @param timeout in milliseconds
 * @returns whether it is dead
 */
export function killProcess(descriptor: number, timeout: number): boolean {
  libc.syscall(SYS_PIDFD_SEND_SIGNAL, descriptor, SIGKILL, 0, 0);
  return becomesReadable(descriptor, timeout);
}
