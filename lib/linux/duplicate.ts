import { checked } from "./errno.ts";
import { libc } from "./libc.ts";

/** A command of fcntl(2) (linux/fcntl.h). */
const F_DUPFD_CLOEXEC = 1030;

/**
 * Another descriptor of the same, which is not passed on to other programs.
 *
 * @throws {SystemError} when there are no more descriptors
 */
export function duplicate(descriptor: number): number {
  return checked("fcntl", libc.fcntl(descriptor, F_DUPFD_CLOEXEC, 0));
}
