/**
 * Commands that proxyctl runs for who calls it.
 *
 * @module
 */

import { accessSync, constants as access, statSync } from "node:fs";
import { constants } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { codeOf } from "../code_of.ts";
import { Failure } from "../failure.ts";

/** The exit codes with which shells, env(1) and nohup(1) say that a command could not be run. */
const NOT_FOUND = 127;
const NOT_EXECUTABLE = 126;

/**
 * Looks whether there is such a command, as a shell looks for it.
 *
 * @throws {Failure} when there is none, or none that can be executed
 */
export function findCommand(file: string): void {
  let why = "ENOENT";
  for (const place of placesOf(file)) {
    const one = whyNotExecutable(place);
    if (one === null) return;
    if (one !== "ENOENT") why = one;
  }
  throw notRun(file, why);
}

/** Where a command may be. @throws {Failure} when nobody knows */
function placesOf(file: string): string[] {
  if (file.includes("/")) return [file];
  const path = Deno.env.get("PATH");
  if (path !== undefined) return path.split(":").map((one) => join(one || ".", file));
  throw new Failure(
    `Failed to run "${file}": PATH is not set, so nobody knows where it is: give its path`,
    NOT_FOUND,
  );
}

/** The code of the error that executing a file would give; `null` if there is nothing to be seen. */
function whyNotExecutable(path: string): string | null {
  try {
    accessSync(path, access.X_OK);
    return statSync(path).isFile() ? null : "EACCES";
  } catch (error) {
    const code = codeOf(error);
    return code === "ENOTDIR" ? "ENOENT" : code;
  }
}

function notRun(file: string, code: string, message = ""): Failure {
  if (code === "ENOENT") return new Failure(`Failed to run "${file}": no such command`, NOT_FOUND);
  const what = code === "EACCES" ? "permission denied, or not a program" : message || code;
  return new Failure(`Failed to run "${file}": ${what}`, NOT_EXECUTABLE);
}

/**
 * Runs a command with the streams and the environment of this process.
 *
 * @returns its exit code; of one that a signal ended, 128 and the signal
 * @throws {Failure} when it cannot be run
 */
export async function runCommand([file = "", ...args]: readonly string[]): Promise<number> {
  // The command decides what these mean; once it has ended they end this. A terminal sends SIGINT
  // to the command as well. Listened for before there is a command: what comes just then would end
  // this alone, and the command would go on with everything resumed.
  let child: Deno.ChildProcess | undefined;
  let hasEnded = false;
  const pass = (signal: "SIGTERM" | "SIGHUP" | "SIGINT") => () => {
    if (hasEnded) Deno.exit(128 + constants.signals[signal]);
    if (signal === "SIGINT") return;
    try {
      child?.kill(signal);
    } catch { /* it has just ended */ }
  };
  for (const signal of ["SIGTERM", "SIGHUP", "SIGINT"] as const) process.on(signal, pass(signal));
  try {
    child = new Deno.Command(file, { args, stdin: "inherit", stdout: "inherit", stderr: "inherit" })
      .spawn();
    const { code, signal } = await child.status;
    return signal === null ? code : 128 + (constants.signals[signal as NodeJS.Signals] ?? 0);
  } catch (error) {
    const code = error instanceof Deno.errors.NotFound ? "ENOENT" : codeOf(error);
    throw notRun(file, code, (error as Error).message);
  } finally {
    hasEnded = true;
  }
}
