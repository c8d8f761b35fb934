/**
 * Another process, by a descriptor that stays its own even when its number is used again.
 *
 * @module
 */

import { checked } from "./errno.ts";
import { targetOf } from "./link.ts";
import { libc } from "./libc.ts";
import { becomesReadable } from "./poll.ts";

/** Numbers of system calls, the same on all processors (asm-generic/unistd.h). */
const SYS_PIDFD_SEND_SIGNAL = 424;
const SYS_PIDFD_OPEN = 434;

const SIGKILL = 9;

/** An operation of prctl(2) (linux/prctl.h). */
export const PR_SET_CHILD_SUBREAPER = 36;

/** An option of waitpid(2) (bits/waitflags.h). */
export const WNOHANG = 1;

/** A child that has ended. */
export interface EndedChild {
  readonly pid: number;
  /** Its exit code; 128 and the number of the signal that ended it, as shells have it. */
  readonly code: number;
}

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

/** Sends a signal to a process. @returns whether it could be sent */
export function signalProcess(descriptor: number, signal: number): boolean {
  return libc.syscall(SYS_PIDFD_SEND_SIGNAL, descriptor, signal, 0, 0) === 0;
}

/**
 * Becomes the parent of all processes below this one whose own parent ends (PR_SET_CHILD_SUBREAPER).
 *
 * @throws {SystemError} when that cannot be
 */
export function adoptOrphans(): void {
  checked("prctl", libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0));
}

const status = new Int32Array(1);

/** Takes note of a child that has ended. @returns `null` when there is none */
export function endedChild(): EndedChild | null {
  const pid = libc.waitpid(-1, new Uint8Array(status.buffer), WNOHANG);
  if (pid <= 0) return null;
  // Encoded as in bits/waitstatus.h.
  const [word = 0] = status;
  const signal = word & 0x7f;
  return { pid, code: signal === 0 ? word >> 8 & 0xff : 128 + signal };
}

/** Whether a process that is seen from here has the same PID namespace (pid_namespaces(7)). */
export function sameNamespace(pid: number): boolean {
  try {
    return targetOf(`/proc/${pid}/ns/pid`) === targetOf("/proc/self/ns/pid");
  } catch {
    return false;
  }
}
