/**
 * The signals that would end a process.
 *
 * @module
 */

import process from "node:process";
import { whyNoEpoll } from "./linux/available.ts";

/** All that are listened for. */
const SIGNALS = ["SIGTERM", "SIGINT", "SIGQUIT", "SIGHUP", "SIGUSR1", "SIGUSR2"] as const;

/** One of those. */
export type Signal = typeof SIGNALS[number];

/** What the process was when it was started, and what has become of that. */
export interface Surroundings {
  /** Whether it had a controlling terminal at the start. */
  readonly hadTerminal: boolean;
  /** Whether it has one now. */
  hasTerminal(): boolean;
}

/**
 * Hears the signals from now on that would end this process, and tells of them.
 *
 * To be called first: what the runtime needs to listen for signals cannot be had any more once a
 * process has run out of descriptors. SIGHUP stays ignored, and nobody is told, if it was ignored
 * when the process started, as nohup(1) has it. SIGUSR1 is ignored as well, where that can be: else
 * it would open Deno's debugger, to every local user.
 */
export async function hearSignals(
  told: (signal: Signal, surroundings: Surroundings) => void,
): Promise<void> {
  const system = await ofSystem();
  const surroundings: Surroundings = {
    hadTerminal: system.hasTerminal(),
    hasTerminal: system.hasTerminal,
  };
  const hangupIgnored = system.isIgnored("SIGHUP");
  // Deno has a handler for those that end it, and then calls nobody else.
  for (const signal of SIGNALS) {
    process.on(signal, () => {
      if (signal !== "SIGHUP" || !hangupIgnored) told(signal, surroundings);
    });
  }
  if (hangupIgnored) system.ignore("SIGHUP");
  // Deno installs its handler of a signal once, when it is first listened for: not again when its
  // debugger listens as well, half a second from now.
  system.ignore("SIGUSR1");
}

/** Asks the system, as far as it can be asked. */
async function ofSystem(): Promise<
  Pick<typeof import("./linux/signals.ts"), "isIgnored" | "ignore" | "hasTerminal">
> {
  // Not before: what it is made of can only be loaded where it can run.
  if (whyNoEpoll() === null) return await import("./linux/signals.ts");
  return {
    isIgnored: () => false,
    ignore() {},
    hasTerminal: () => [Deno.stdin, Deno.stdout, Deno.stderr].some((one) => one.isTerminal()),
  };
}
