/**
 * Who this process is, and to which session it belongs.
 *
 * @module
 */

import { checked } from "./errno.ts";
import { libc } from "./libc.ts";

/**
 * Becomes another user for good, in all threads, and a member of no group but this one.
 *
 * @throws {SystemError} when it may not
 */
export function becomeUser(user: number, group: number): void {
  checked("setgroups", libc.setgroups(0, null));
  checked("setgid", libc.setgid(group));
  checked("setuid", libc.setuid(user));
}

/**
 * Leaves the terminal, and the group of processes, of whoever started this one (setsid(2)).
 *
 * @throws {SystemError} when it leads a group itself
 */
export function leaveSession(): void {
  checked("setsid", libc.setsid());
}
