/**
 * The command line of proxyctl.
 *
 * @module
 */

import { type Command, CommanderError } from "commander";
import { program, running, throwing } from "../command_line.ts";
import { EXIT, EXIT_MEANINGS } from "../exit_codes.ts";
import { completionsVerb } from "./completions.ts";
import { connectionsVerb } from "./connections.ts";
import { dialVerb } from "./dial.ts";
import { drainVerb } from "./drain.ts";
import { failureJson } from "./failure_json.ts";
import { historyVerb } from "./history.ts";
import { killVerb } from "./kill.ts";
import { listVerb } from "./list.ts";
import { metricsVerb } from "./metrics.ts";
import { print } from "./output.ts";
import { KEEP, parkVerb } from "./park.ts";
import { resumeVerb } from "./resume.ts";
import { retargetVerb } from "./retarget.ts";
import { serveVerb } from "./serve.ts";
import { statusVerb } from "./status.ts";
import { upgradeVerb } from "./upgrade.ts";
import { named, type Verb } from "./verb.ts";
import { waitVerb } from "./wait.ts";
import { withDrainVerb } from "./with_drain.ts";

/** The name of the executable. */
export const NAME = "proxyctl";

/** In the order of the help. */
const VERBS: readonly Verb[] = [
  statusVerb,
  drainVerb,
  resumeVerb,
  waitVerb,
  parkVerb,
  connectionsVerb,
  killVerb,
  retargetVerb,
  upgradeVerb,
  withDrainVerb,
  historyVerb,
  listVerb,
  metricsVerb,
  serveVerb,
  dialVerb,
  completionsVerb,
];

/**
 * Runs proxyctl.
 *
 * @returns the exit code
 * @throws {CommanderError} for bad usage, and for `--help` and `--version` once they are printed
 */
export async function runProxyctl(args: readonly string[]): Promise<number> {
  if (args[0] === KEEP) {
    // Not before: what it is made of can only be loaded where it can run.
    const { keep } = await import("../keeper/main.ts");
    return await keep(args.slice(1));
  }
  let exitCode: number = EXIT.done;
  const root = commandLine((code) => exitCode = code);
  await root.parseAsync(args, { from: "user" });
  return exitCode;
}

/**
 * Prints a failure as JSON as well, where `--json` asks for that.
 *
 * @param args the command line, which need not be one that is understood
 */
export function tellFailure(args: readonly string[], error: unknown): void {
  if (error instanceof CommanderError && error.exitCode === 0) return;
  const words = args.slice(0, args.includes("--") ? args.indexOf("--") : undefined);
  const verb = words.find((word) => VERBS.some(({ name }) => name === word));
  const options = commandLine(() => {}).commands.find((one) => one.name() === verb)?.options ?? [];
  // What follows a verb that has no such option may be another command, and its option.
  if (!words.includes("--json") || !options.some(({ long }) => long === "--json")) return;
  try {
    print(JSON.stringify(failureJson(error)));
  } catch { /* it is told on stderr, whatever it is */ }
}

/** The command line, with all verbs. @param ended gets the exit code of the verb that has run */
export function commandLine(ended: (exitCode: number) => void): Command {
  const root = named(program(NAME))
    .summary("control a running disnix-tcp-proxy")
    .description("Controls a running disnix-tcp-proxy.")
    .enablePositionalOptions()
    .addHelpText("after", exitCodes());
  for (const { name, about, define, run } of VERBS) {
    const words = `${NAME} ${name}`;
    const command = throwing(root.command(name), words).description(about);
    define(command);
    command.action(async () => ended(await running(words, () => run(command)) ?? EXIT.done));
  }
  return root;
}

function exitCodes(): string {
  const names = Object.keys(EXIT) as (keyof typeof EXIT)[];
  const lines = names.map((name) => `  ${EXIT[name]}  ${EXIT_MEANINGS[name]}`);
  return ["", "Exit codes:", ...lines].join("\n");
}
