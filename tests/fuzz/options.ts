import { Option } from "commander";
import { program, value, wholeNumber } from "../../lib/command_line.ts";
import type { Relay } from "../../lib/relay/relay.ts";

const KINDS: readonly Relay["kind"][] = ["epoll", "portable"];

/** What the command line says. */
export interface Options {
  readonly relays: readonly Relay["kind"][];
  readonly threads: number;
  readonly seconds: number;
  readonly seed: number;
  readonly connections: number;
}

/**
 * Reads the command line.
 *
 * @throws {CommanderError} for bad usage, and for `--help` and `--version` once they are printed
 */
export function parseOptions(args: readonly string[]): Options {
  const command = program("fuzz")
    .description(
      "Sends random connections through a relay: both sides send, stall, end, reset and go away at " +
        "random, while the relay is held and opened and connections are killed. Every byte and " +
        "every ending is checked. The exit code is 0 only if all was as it should be.",
    )
    .addOption(
      new Option("--relay <kind>", "which relay").choices([...KINDS, "both"]).default("both"),
    )
    .option("--threads <n>", "how many threads the relay has", value(wholeNumber(1, 64)), 1)
    .option("--seconds <n>", "for how long each relay is fuzzed", value(wholeNumber(1)), 60)
    .option(
      "--connections <n>",
      "how many there are at the same time",
      value(wholeNumber(1, 500)),
      80,
    )
    .option(
      "--seed <n>",
      "what the choices begin with (default: another each time); the same seed makes the same " +
        "scripts, but when things happen is not the same again",
      value(wholeNumber(0, 2 ** 32 - 1)),
    )
    .parse(args, { from: "user" });
  const { relay, threads, seconds, connections, seed = anySeed() } = command.opts();
  return { relays: relay === "both" ? KINDS : [relay], threads, seconds, connections, seed };
}

/** A seed that nobody has chosen. */
export function anySeed(): number {
  return crypto.getRandomValues(new Uint32Array(1))[0] ?? 0;
}
