/**
 * A manual page of a program, made from its command line's own description.
 *
 * @module
 */

import type { Argument, Command, Help, Option } from "commander";
import { bold, example, filled, italic, item, plain, section } from "./roff.ts";

/** Something with a name, and what it means. */
export type Named = readonly [name: string, about: string];

/** What a page says besides what `--help` does. */
export interface Supplement {
  readonly environment: readonly Named[];
  readonly files: readonly Named[];
  readonly signals: readonly Named[];
  /** By the exit codes. */
  readonly exitStatus: readonly Named[];
  /** What an example is for, and its commands. */
  readonly examples: readonly Named[];
  /** Names of pages in section 1. */
  readonly seeAlso: readonly string[];
}

/**
 * Makes a page.
 *
 * @param version of the program
 * @param date of the page, `2026-11-28`
 */
export function manualPage(
  command: Command,
  supplement: Supplement,
  version: string,
  date: string,
): string {
  const name = command.name();
  const help = command.createHelp();
  const verbs = help.visibleCommands(command).filter((verb) => verb.name() !== "help");
  const { environment, files, signals, exitStatus, examples, seeAlso } = supplement;
  const references = seeAlso.map((other) => `\\fB${plain(other)}\\fR(1)`);
  const lines = [
    `.TH ${name.toUpperCase()} 1 "${date}" "disnix\\-tcp\\-proxy ${version}"`,
    section("NAME"),
    `${plain(name)} \\- ${plain(command.summary())}`,
    section("SYNOPSIS"),
    ...filled(synopsis(command, name)),
    section("DESCRIPTION"),
    ...command.description().split("\n").flatMap((text, at) => [
      ...(at === 0 ? [] : [".PP"]),
      ...filled(plain(text)),
    ]),
    ...listed("ARGUMENTS", argumentItems(command, help)),
    ...listed("OPTIONS", optionItems(help.visibleOptions(command), help)),
    ...listed("COMMANDS", verbs.flatMap((verb) => verbLines(verb, name, command, help))),
    ...listed("ENVIRONMENT", environment.flatMap(([tag, about]) => item(bold(tag), about))),
    ...listed("FILES", files.flatMap(([tag, about]) => item(italic(tag), about))),
    ...listed("SIGNALS", signals.flatMap(([tag, about]) => item(bold(tag), about))),
    section("EXIT STATUS"),
    ...exitStatus.flatMap(([tag, about]) => item(bold(tag), about)),
    ...listed(
      "EXAMPLES",
      examples.flatMap(([about, commands], at) => [
        ...(at === 0 ? [] : [".PP"]),
        ...filled(plain(about)),
        ...example(commands),
      ]),
    ),
    section("SEE ALSO"),
    ...filled(references.join(", ")),
  ];
  return `${lines.join("\n")}\n`;
}

/** A section, unless there is nothing in it. */
function listed(title: string, lines: readonly string[]): string[] {
  return lines.length === 0 ? [] : [section(title), ...lines];
}

/** How a command is called. @param words it is called by */
function synopsis(command: Command, words: string): string {
  const rest = command.usage().split(" ").filter(Boolean).map((word) => italic(word));
  return [bold(words), ...rest].join(" ");
}

function argumentItems(command: Command, help: Help): string[] {
  return help.visibleArguments(command).flatMap((argument: Argument) =>
    item(italic(help.argumentTerm(argument)), help.argumentDescription(argument))
  );
}

function optionItems(options: readonly Option[], help: Help): string[] {
  return options.flatMap((option) => {
    const [flags = "", value] = option.flags.split(/ (?=[<[])/);
    const names = flags.split(", ").map(bold).join(", ");
    const tag = value === undefined ? names : `${names} ${italic(value.replaceAll(/[<>]/g, ""))}`;
    return item(tag, help.optionDescription(option));
  });
}

/** A verb, with those of its options that the program itself does not have. */
function verbLines(verb: Command, name: string, program: Command, help: Help): string[] {
  const general = new Set(help.visibleOptions(program).map(({ long }) => long));
  const own = help.visibleOptions(verb).filter(({ long }) => !general.has(long));
  const about = verb.description();
  return [
    `.SS ${plain(`${name} ${verb.name()}`)}`,
    ...filled(synopsis(verb, `${name} ${verb.name()}`)),
    ".PP",
    ...filled(plain(`${about.charAt(0).toUpperCase()}${about.slice(1)}.`)),
    ...argumentItems(verb, help),
    ...optionItems(own, help),
  ];
}
