/**
 * How a proxy that was succeeded becomes a reaper: its program begins anew, in the same process, in a
 * mode that nobody calls by hand, `reap DESCRIPTOR [CODE]`. What it had is gone then, memory and all.
 *
 * @module
 */

import { passNothingOn } from "../linux/descriptors.ts";
import { execute, keepOpen } from "../linux/execute.ts";
import { targetOf } from "../linux/link.ts";
import type { OwnCommand } from "../linux/own_command.ts";
import { block } from "../linux/waiting_signals.ts";
import { openMailbox } from "./mailbox.ts";
import { PASSED_ON, SIGCHLD } from "./signals.ts";

/** The first argument of a proxy that is to be a reaper. */
export const REAP = "reap";

/** The executable of this process, whatever is at its path by now. */
const OWN_EXECUTABLE = "/proc/self/exe";

/** A program and what it is started with, its name first. */
export interface ReaperCommand {
  readonly path: string;
  readonly args: readonly string[];
}

/**
 * Finds out how to start a reaper.
 *
 * @param command what this process was started with
 * @throws {Error} saying why it cannot be started
 */
export function reaperCommand({ path: name }: OwnCommand): ReaperCommand {
  const path = isThere(targetOf(OWN_EXECUTABLE)) ? OWN_EXECUTABLE : name;
  // An executable reads itself, by its path; whoever takes over was started from there as well.
  if (path === name && !isThere(name)) throw new Error(`${name} is no longer there`);
  if (Deno.build.standalone) return { path, args: [name, REAP] };
  const script = new URL(Deno.mainModule);
  if (!isThere(script)) throw new Error(`${script.pathname} is no longer there`);
  const permissions = ["--no-prompt", "--allow-ffi"];
  return { path, args: [name, "run", "--quiet", ...permissions, Deno.mainModule, REAP] };
}

/**
 * Has signals wait for the reaper that this process is about to become. Those that have come before
 * are still told to who listens for them, in a moment.
 */
export function holdSignals(): void {
  block([...PASSED_ON, SIGCHLD]);
  openMailbox();
}

/**
 * Becomes the reaper.
 *
 * @param line the descriptor of the line's reading end
 * @param code the exit code of the one that serves, if that has ended by now
 * @throws {SystemError} when that fails; otherwise this does not return
 */
export function becomeReaper(
  { path, args }: ReaperCommand,
  line: number,
  code: number | undefined,
): never {
  passNothingOn();
  keepOpen(line);
  execute(path, [...args, `${line}`, ...code === undefined ? [] : [`${code}`]]);
}

function isThere(path: string | URL): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}
