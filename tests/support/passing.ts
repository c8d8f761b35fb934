/**
 * Passes sockets of this process on to programs, as a service manager does (sd_listen_fds(3)).
 *
 * Not by leaving them open for whatever is started: that reaches what other tests start in the same
 * moment, and a socket listens on for as long as one of those lives. A process in between takes them,
 * and becomes the program.
 *
 * @module
 */

import { checked } from "../../lib/linux/errno.ts";
import { execute } from "../../lib/linux/execute.ts";
import { libc } from "../../lib/linux/libc.ts";
import { openProcess } from "../../lib/linux/process.ts";
import { messageOf } from "../../lib/message_of.ts";

/** A number of a system call, the same on all processors (asm-generic/unistd.h). */
const SYS_PIDFD_GETFD = 438;

/** An operation of prctl(2), and the value for any process (linux/prctl.h). */
const PR_SET_PTRACER = 0x59616d61;
const PR_SET_PTRACER_ANY = 0xffffffff;

/** The first that a program looks for (SD_LISTEN_FDS_START). */
const FIRST = 3;

/** Takes a socket that another process has. @throws {SystemError} where that may not be */
function takeFrom(process: number, socket: number): number {
  return checked("pidfd_getfd", libc.syscall(SYS_PIDFD_GETFD, process, socket, 0, 0));
}

/** Why no socket can be passed on: some containers do not allow it; `null` if it can. */
export function whyNotPassing(): string | null {
  try {
    const own = openProcess(Deno.pid);
    for (const descriptor of [takeFrom(own, own), own]) libc.close(descriptor);
    return null;
  } catch (error) {
    return `no socket can be passed on: ${messageOf(error)}`;
  }
}

/** The command that passes sockets of this process on to a program, whose command follows. */
export function passing(sockets: readonly number[]): string[] {
  // Where a process may only be looked into by those above it (yama); elsewhere it does nothing.
  libc.prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY, 0, 0, 0);
  const own = new URL(import.meta.url).pathname;
  return [Deno.execPath(), "run", "--quiet", "--no-check", "--allow-all", own].concat(
    `${Deno.pid}`,
    sockets.join(","),
  );
}

if (import.meta.main) {
  const [pid, sockets = "", ...command] = Deno.args;
  const holder = openProcess(Number(pid));
  const taken = sockets.split(",").map((socket) => takeFrom(holder, Number(socket)));
  // Not before: only this process needs it.
  const { dup2 } = await import("./dup2.ts");
  // What the runtime has there it needs no more.
  for (const [index, socket] of taken.entries()) checked("dup2", dup2(socket, FIRST + index));
  Deno.env.set("LISTEN_PID", `${Deno.pid}`);
  Deno.env.set("LISTEN_FDS", `${taken.length}`);
  execute("/usr/bin/env", ["env", ...command]);
}
