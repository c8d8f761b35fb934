import { Option } from "commander";
import { program, value, wholeNumber } from "../../lib/command_line.ts";
import { parseFiniteDuration } from "../../lib/duration.ts";

/** How often each service is replaced if the command line does not say; with proxies it takes longer. */
const UPGRADES = 50;
const UPGRADES_OF_BOTH = 20;

/** What the command line says. Durations are in milliseconds. */
export interface StormOptions {
  readonly upgrades: number;
  /** Whether proxies are replaced as well. */
  readonly replaceProxies: boolean;
  readonly clients: number;
  /** How many connections live through it all. */
  readonly keepAlive: number;
  /** How many threads each proxy has; `undefined` for one or two, by chance. */
  readonly threads?: number;
  /** For how long each proxy is stopped (SIGSTOP) in the middle of it all; 0 for not at all. */
  readonly standstill: number;
  readonly json: boolean;
  readonly seed: number;
  readonly limit: number;
}

/**
 * Reads the command line.
 *
 * @throws {CommanderError} for bad usage, and for `--help` and `--version` once they are printed
 */
export function parseOptions(args: readonly string[]): StormOptions {
  const command = program("storm")
    .description(
      "Keeps clients busy through two proxies while the services behind them are replaced again " +
        "and again, checks every reply and every byte, and prints a receipt. The exit code is 0 " +
        "only if nothing was refused, reset, truncated or answered wrongly.",
    )
    .addOption(
      new Option("--replace <what>", "proxies are replaced as well as servers, or not")
        .choices(["server", "proxy,server"]).default("server"),
    )
    .option(
      "--upgrades <n>",
      `how often each service is replaced (default: ${UPGRADES}, or ${UPGRADES_OF_BOTH} if proxies ` +
        "are as well)",
      value(wholeNumber(1)),
    )
    .option("--clients <n>", "how many clients there are", value(wholeNumber(4, 10_000)), 64)
    .option(
      "--keep-alive <n>",
      "how many connections live through it all, and ask all the time; 0 for none",
      value(wholeNumber(0, 10_000)),
      64,
    )
    .option(
      "--threads <n>",
      "how many threads each proxy has (default: one or two, by chance)",
      value(wholeNumber(1, 64)),
    )
    .addOption(
      new Option(
        "--standstill <duration>",
        "for how long each proxy is stopped (SIGSTOP) in the middle of it all",
      ).argParser(value(parseFiniteDuration)).default(0, "not at all"),
    )
    .option("--json", "print the receipt as JSON", false)
    .option(
      "--seed <n>",
      "what the choices that clients and upgrades make begin with (default: another each time)",
      value(wholeNumber(0, 2 ** 32 - 1)),
    )
    .addOption(
      new Option("--limit <duration>", "how long it may take")
        .argParser(value(parseFiniteDuration)).default(parseFiniteDuration("5m"), "5m"),
    )
    .parse(args, { from: "user" });
  const [anotherSeed = 0] = crypto.getRandomValues(new Uint32Array(1));
  const { seed = anotherSeed, replace, ...options } = command.opts();
  const replaceProxies = replace !== "server";
  const upgrades = replaceProxies ? UPGRADES_OF_BOTH : UPGRADES;
  return { upgrades, ...options, seed, replaceProxies } as StormOptions;
}
