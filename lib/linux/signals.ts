/**
 * What the system knows of this process's signals and of its terminal (proc(5), signal(2)).
 *
 * @module
 */

import { libc } from "./libc.ts";
import { readFile } from "./read_file.ts";

/** Numbers of signals, the same on x86_64 and aarch64 (signal(7)). */
const NUMBERS = { SIGHUP: 1, SIGUSR1: 10 } as const;

/** A signal of which more is known than that it came. */
export type IgnorableSignal = keyof typeof NUMBERS;

/** What {@linkcode libc.signal} takes to ignore a signal (asm-generic/signal-defs.h). */
const SIG_IGN = 1n;

/**
 * Whether this process ignores a signal. Only before any is listened for: Deno then has a handler for
 * several, whatever was before.
 */
export function isIgnored(signal: IgnorableSignal): boolean {
  const mask = /^SigIgn:\s*([0-9a-f]+)$/m.exec(readOwn("status"))?.[1] ?? "0";
  return (BigInt(`0x${mask}`) >> BigInt(NUMBERS[signal] - 1) & 1n) === 1n;
}

/**
 * Has the system ignore a signal, for this process and all that it starts. Only after it has been
 * listened for: Deno installs a handler of its own when it first has to, and would do so later.
 */
export function ignore(signal: IgnorableSignal): void {
  libc.signal(NUMBERS[signal], SIG_IGN);
}

/** Whether this process has a controlling terminal, from which it may be cut off. */
export function hasTerminal(): boolean {
  return terminalOf(readOwn("stat")) !== 0;
}

/** The number of the terminal in a line of /proc/PID/stat; 0 is none. */
export function terminalOf(stat: string): number {
  // The name of the program stands in brackets, and may have spaces and brackets in it.
  const [_state, _parent, _group, _session, terminal] = stat.slice(stat.lastIndexOf(")") + 2)
    .split(" ");
  return Number(terminal ?? 0);
}

/** Reads a file of this process in /proc; empty where there is no /proc. */
function readOwn(name: string): string {
  try {
    return readFile(`/proc/self/${name}`);
  } catch {
    return "";
  }
}
