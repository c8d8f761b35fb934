/**
 * What the command lines of all four programs have in common.
 *
 * @module
 */

import { Command, CommanderError, InvalidArgumentError, Option } from "commander";
import { type Duration, parseDuration } from "./duration.ts";
import { EXIT } from "./exit_codes.ts";
import { Failure } from "./failure.ts";
import { isJournal, prioritized, PRIORITY } from "./journal.ts";
import { messageOf } from "./message_of.ts";
import { writeError } from "./standard_streams.ts";
import { VERSION } from "./version.ts";

/** Bad usage of a command, whose help tells more. */
class UsageError extends CommanderError {
  constructor(readonly command: string, { code, message }: CommanderError) {
    super(EXIT.usage, code, reworded(message.replace(/^error: /, "").replaceAll("\n", " ")));
  }
}

/** What commander says of a value, as a sentence that begins with what the value was meant for. */
function reworded(message: string): string {
  const [, flag, value, argument, reason] =
    /^(?:option '(\S+).*?' argument|command-argument value) '(.*?)' is invalid(?: for argument '(\S+)')?\. (.*)$/
      .exec(message) ?? [];
  if (reason === undefined) return message;
  const what = flag ?? `The ${argument === "listen" ? "listen address" : argument}`;
  const [, choices] = /^Allowed choices are (.*)\.$/.exec(reason) ?? [];
  if (choices !== undefined) return `${what} "${value}" is none of ${choices}`;
  return reason.startsWith('"') ? `${what} ${reason}` : `${what}: ${reason}`;
}

/** A program that throws instead of exiting. Its summary is for the head of its manual page. */
export function program(name: string): Command {
  return throwing(new Command(name), name)
    .version(`${name} ${VERSION}`)
    .helpOption("-h, --help", "show this help")
    .configureOutput({ outputError: () => {} });
}

/**
 * Makes a command throw instead of exiting.
 *
 * @param name the words to call it by: `proxyctl drain`
 */
export function throwing(command: Command, name: string): Command {
  return command.exitOverride((error) => {
    throw error.exitCode === 0 ? error : new UsageError(name, error);
  });
}

/** Of bad usage that commander itself has not seen. */
const SEEN_LATE = "usage";

/** Bad usage that is seen only once everything has been parsed. @param message what is wrong */
export function usageError(message: string): CommanderError {
  return new CommanderError(EXIT.usage, SEEN_LATE, message);
}

/** Runs a command, whose help tells more of bad usage. @param name the words to call it by */
export async function running<T>(name: string, command: () => Promise<T>): Promise<T> {
  try {
    return await command();
  } catch (error) {
    if (!(error instanceof CommanderError) || error.code !== SEEN_LATE) throw error;
    throw new UsageError(name, error);
  }
}

/**
 * Makes a parser that throws `RangeError` fit for an option or an argument of commander, which then
 * says for which of them the value was meant.
 */
export function value<T>(parse: (text: string) => T): (text: string) => T {
  return (text) => {
    try {
      return parse(text);
    } catch (error) {
      if (error instanceof RangeError) throw new InvalidArgumentError(error.message);
      throw error;
    }
  };
}

/**
 * Adds an option that takes a duration, `none` among them.
 *
 * @param byDefault the default as it would be written; `null` if there is none
 * @param parse reads it, and throws `RangeError`
 */
export function durationOption(
  command: Command,
  flags: string,
  about: string,
  byDefault: string | null,
  parse: (text: string) => Duration = parseDuration,
): Command {
  const option = new Option(flags, about).argParser(value(parse));
  if (byDefault !== null) option.default(parse(byDefault), byDefault);
  // To commander `null`, which is what `none` means, is no value, and becomes an empty text.
  return command.addOption(option).on(`option:${option.name()}`, (text: string) => {
    command.setOptionValue(option.attributeName(), parse(text));
  });
}

/**
 * Reads a whole number.
 *
 * @throws {RangeError} when it is none, or out of range
 */
export function wholeNumber(lowest: number, highest = Number.MAX_SAFE_INTEGER) {
  return (text: string): number => {
    const number = Number(text);
    if (!/^\d+$/.test(text) || number < lowest || number > highest) {
      const range = highest === Number.MAX_SAFE_INTEGER
        ? `of at least ${lowest}`
        : `from ${lowest} to ${highest}`;
      throw new RangeError(`"${text}" is not a whole number ${range}`);
    }
    return number;
  };
}

/**
 * Runs a program's main function. An error becomes one line on stderr and an exit code.
 *
 * @param name the program's name, for the line
 * @param main returns the exit code, or nothing for a program that goes on by itself
 * @param failed hears of an error before it is told
 */
export async function run(
  name: string,
  main: () => Promise<number | void>,
  failed: (error: unknown) => void = () => {},
): Promise<void> {
  try {
    const exitCode = await main();
    if (exitCode !== undefined) Deno.exit(exitCode);
  } catch (error) {
    failed(error);
    Deno.exit(report(name, error));
  }
}

/**
 * Tells an error in one line on stderr.
 *
 * @param write writes the line there
 * @returns the exit code for it
 */
export function report(
  name: string,
  error: unknown,
  write: (line: string) => void = writeFailure,
): number {
  if (error instanceof CommanderError && error.exitCode === 0) return 0;
  const message = messageOf(error);
  // Without a verb the whole help has been printed already.
  if (error instanceof CommanderError && error.code === "commander.help") return error.exitCode;
  const command = error instanceof UsageError ? error.command : name;
  const hint = error instanceof CommanderError ? ` (see ${command} --help)` : "";
  write(`${name}: ${message}${hint}`);
  return error instanceof CommanderError || error instanceof Failure ? error.exitCode : 1;
}

function writeFailure(line: string): void {
  writeError(isJournal() ? prioritized(line, PRIORITY.error) : line);
}
