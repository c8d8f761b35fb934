/**
 * A command line as shells complete it.
 *
 * @module
 */

import type { Command, Option } from "commander";

/** What can be said for the value of an option. */
export type Values =
  | "directories"
  /** The ports of the proxies that run. */
  | "ports"
  | "commands"
  /** Nothing that is known. */
  | "any"
  | readonly string[];

/** An option. */
export interface DescribedOption {
  /** With its hyphens. */
  readonly flag: string;
  readonly about: string;
  /** `null` for one without a value. */
  readonly values: Values | null;
}

/** A verb. */
export interface DescribedVerb {
  readonly name: string;
  readonly about: string;
  readonly options: readonly DescribedOption[];
  /** What can be said for its argument. */
  readonly argument: readonly string[] | "ids" | "command" | null;
}

/** A program with verbs. */
export interface Described {
  readonly name: string;
  /** Those that stand before the verb. */
  readonly options: readonly DescribedOption[];
  readonly verbs: readonly DescribedVerb[];
}

/** Some durations, for those who look for how they are written. */
const DURATIONS = ["5s", "10s", "30s", "1m", "5m", "1h"];

/** Describes a program, by what it says of itself. */
export function describeProgram(program: Command): Described {
  return {
    name: program.name(),
    options: optionsOf(program),
    verbs: program.commands.map((verb) => ({
      name: verb.name(),
      about: verb.description(),
      options: optionsOf(verb),
      argument: argumentOf(verb),
    })),
  };
}

/** The flags of all options that take a value. */
export function flagsWithValue({ options, verbs }: Described): string[] {
  const all = [...options, ...verbs.flatMap((verb) => verb.options)];
  return [...new Set(all.filter(({ values }) => values !== null).map(({ flag }) => flag))];
}

function optionsOf(command: Command): DescribedOption[] {
  return command.createHelp().visibleOptions(command).map((option) => ({
    flag: option.long ?? "",
    about: option.description.split("\n")[0] ?? "",
    values: option.required || option.optional ? valuesOf(option) : null,
  }));
}

function valuesOf({ long, flags, argChoices }: Option): Values {
  if (argChoices !== undefined) return argChoices;
  if (long === "--runtime-dir") return "directories";
  if (long === "--port") return "ports";
  if (flags.endsWith("<duration>")) return DURATIONS;
  return flags.endsWith("<command>") ? "commands" : "any";
}

function argumentOf(verb: Command): DescribedVerb["argument"] {
  const [argument] = verb.registeredArguments;
  if (argument === undefined) return null;
  if (argument.argChoices !== undefined) return argument.argChoices;
  const known = { id: "ids", command: "command" } as const;
  return known[argument.name() as keyof typeof known] ?? null;
}
