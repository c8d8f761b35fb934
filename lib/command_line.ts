/**
 * What the command lines of all four programs have in common.
 *
 * @module
 */

import { Command, CommanderError, InvalidArgumentError, Option } from "commander";
import { type Duration, parseDuration } from "./duration.ts";
import { VERSION } from "./version.ts";
import { messageOf } from "./message_of.ts";

/** A failure to be told to the user in one line, with the exit code that belongs to it. */
export class Failure extends Error {
  override name = "Failure";

  /**
   * @param message what was being done, with which value, what is wrong, and what to do
   * @param exitCode the exit code of the program
   */
  constructor(message: string, readonly exitCode: number = 1, options?: ErrorOptions) {
    super(message, options);
  }
}

/** Bad usage of a command, whose help tells more. */
class UsageError extends CommanderError {
  constructor(readonly command: string, exitCode: number, { code, message }: CommanderError) {
    super(exitCode, code, message.replace(/^error: /, "").replaceAll("\n", " "));
  }
}

/** A program that throws instead of exiting. */
export function program(name: string, usageExitCode = 1): Command {
  return throwing(new Command(name), name, usageExitCode)
    .version(`${name} ${VERSION}`)
    .helpOption("-h, --help", "show this help")
    .configureOutput({ outputError: () => {} });
}

/**
 * Makes a command throw instead of exiting.
 *
 * @param name the words to call it by: `proxyctl drain`
 */
export function throwing(command: Command, name: string, usageExitCode: number): Command {
  return command.exitOverride((error) => {
    throw error.exitCode === 0 ? error : new UsageError(name, usageExitCode, error);
  });
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
 * @param byDefault the default as it would be written
 * @param parse reads it, and throws `RangeError`
 */
export function durationOption(
  command: Command,
  flags: string,
  about: string,
  byDefault: string,
  parse: (text: string) => Duration = parseDuration,
): Command {
  const option = new Option(flags, about)
    .argParser(value(parse))
    .default(parse(byDefault), byDefault);
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

/** Tells an error in one line on stderr. @returns the exit code for it */
export function report(name: string, error: unknown): number {
  if (error instanceof CommanderError && error.exitCode === 0) return 0;
  const message = messageOf(error);
  // Without a verb the whole help has been printed already.
  if (error instanceof CommanderError && error.code === "commander.help") return error.exitCode;
  const command = error instanceof UsageError ? error.command : name;
  const hint = error instanceof CommanderError ? ` (see ${command} --help)` : "";
  writeError(`${name}: ${message}${hint}`);
  return error instanceof CommanderError || error instanceof Failure ? error.exitCode : 1;
}

/** Writes a line to stderr, at once and whole. A stderr that is gone is no reason to fail. */
export function writeError(line: string): void {
  try {
    writeAll(Deno.stderr, `${line}\n`);
  } catch { /* nobody is left to be told */ }
}

/**
 * Writes text to stdout or stderr, all of it.
 *
 * @throws {Deno.errors.BrokenPipe} when the reader is gone
 */
export function writeAll(stream: typeof Deno.stdout | typeof Deno.stderr, text: string): void {
  let bytes = new TextEncoder().encode(text);
  while (bytes.length > 0) bytes = bytes.subarray(stream.writeSync(bytes));
}
