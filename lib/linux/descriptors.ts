import { libc } from "./libc.ts";

/** The first descriptor that is not stdin, stdout or stderr, and more than there can be. */
const FIRST = 3;
const LAST = 0xffffffff;

/** A number of a system call, the same on all processors (asm-generic/unistd.h). */
const SYS_CLOSE_RANGE = 436;
/** Only mark them to be closed when another program starts (linux/close_range.h). */
const CLOSE_RANGE_CLOEXEC = 4;

/**
 * Passes no descriptor on to programs that are started from now on: what our own caller left open for
 * us, a lock or the end of a pipe, is not for a process that stays. Linux before 5.11 cannot do it.
 */
export function passNothingOn(): void {
  libc.syscall(SYS_CLOSE_RANGE, FIRST, LAST, CLOSE_RANGE_CLOEXEC, 0);
}
