import { program, value, wholeNumber } from "../../lib/command_line.ts";
import { EXIT } from "../../lib/exit_codes.ts";
import { Failure } from "../../lib/failure.ts";
import { messageOf } from "../../lib/message_of.ts";
import { contenders } from "./contenders/all.ts";
import type { Contender } from "./contenders/contender.ts";
import { ROWS } from "./rows/all.ts";

/** The last run that was recorded, with `--json` to this file. */
const RECORDED = new URL("recorded.json", import.meta.url).pathname;

/** What the command line says. */
export interface BenchOptions {
  readonly turns: number;
  readonly seconds: number;
  /** Names of rows. */
  readonly rows: readonly string[];
  /** Those that are measured. */
  readonly contenders: readonly Contender[];
  /** Results of an earlier run to compare with. */
  readonly against: string;
  /** A directory; without it a new temporary one. */
  readonly output?: string;
  /** Files that are not to be in that directory. */
  readonly json?: string;
  readonly svg?: string;
}

/**
 * Reads the command line.
 *
 * @throws {CommanderError} for bad usage, and for `--help` and `--version` once they are printed
 */
export function parseOptions(args: readonly string[]): BenchOptions {
  const rows = ROWS.map(({ name }) => name);
  const all = knownContenders();
  const names = all.map(({ name }) => name);
  const command = program("bench")
    .description(
      "Measures the proxy side by side with others, in turns, and prints a table. CPU is the CPU " +
        "time of the proxy alone: clients and service share the machine with it. BENCH_PEERS, as " +
        "in haproxy-3.2=/opt/haproxy/sbin/haproxy,before=/tmp/checkout, adds versions of HAProxy, " +
        "and of this proxy.",
    )
    .option(
      "--turns <n>",
      "how often each is measured; the median counts",
      value(wholeNumber(1)),
      5,
    )
    .option("--seconds <n>", "how long each time", value(seconds), 1)
    .option("--rows <names>", `which rows (default: ${rows.join()})`, value(namesOf(rows)))
    .option(
      "--only <names>",
      `beside direct, which contenders (default: ${names.slice(1).join()})`,
      value(namesOf(names)),
    )
    .option("--against <file>", "name the rows that were better there", RECORDED)
    .option("--output <dir>", "directory for bench.json and bench.svg (default: a temporary one)")
    .option("--json <file>", "write all numbers to this file instead of bench.json")
    .option("--svg <file>", "draw the ratios to the best peer into this file instead of bench.svg")
    .parse(args, { from: "user" });
  const { only = names, ...options } = command.opts<
    Omit<BenchOptions, "contenders"> & { only?: string[] }
  >();
  const chosen = all.filter(({ name, kind }) => kind === "direct" || only.includes(name));
  return { ...options, rows: options.rows ?? rows, contenders: chosen };
}

/** @throws {Failure} for a variable that is not what it should be */
function knownContenders(): readonly Contender[] {
  try {
    return contenders(Deno.env.get("BENCH_PEERS") ?? "");
  } catch (error) {
    throw new Failure(`BENCH_PEERS cannot be used: ${messageOf(error)}`, EXIT.usage);
  }
}

/** @throws {RangeError} */
function seconds(text: string): number {
  const number = Number(text);
  if (!/^\d+(\.\d+)?$/.test(text) || number < 0.1 || number > 60) {
    throw new RangeError(`"${text}" is not a number from 0.1 to 60`);
  }
  return number;
}

/** @throws {RangeError} */
function namesOf(known: readonly string[]) {
  return (text: string): string[] => {
    const names = text.split(",");
    const unknown = names.find((name) => !known.includes(name));
    if (unknown !== undefined) {
      throw new RangeError(`"${unknown}" is none of ${known.join(", ")}`);
    }
    return names;
  };
}
