/**
 * Replaces this process by a new one of the same program, with the same command line, which takes
 * over from it.
 *
 * @module
 */

import { ApiError } from "../control/errors.ts";
import { describeDuration } from "../duration.ts";
import { sendServiceState } from "../linux/service_manager.ts";
import type { OwnCommand } from "../linux/own_command.ts";
import { readRegularFile } from "../regular_file.ts";
import { pathsIn } from "../runtime_directory/paths.ts";
import { within } from "../within.ts";
import { launch } from "./successor.ts";

/** The only option that names a path. */
const RUNTIME_DIRECTORY = "--runtime-dir";

/** How long a successor may take to take over, in milliseconds. */
const PATIENCE = 20_000;

/**
 * Starts a successor and waits until it has taken over.
 *
 * @param directory the runtime directory
 * @param command what this process was started with
 * @param gone resolves when another process has taken over, to its pid
 * @param giveUp has it killed, if it has not taken over yet
 * @returns the pid of the successor
 * @throws {ApiError} saying why it has not taken over; then everything is as it was
 */
export async function upgrade(
  directory: string,
  command: OwnCommand,
  gone: Promise<number>,
  giveUp: AbortSignal,
): Promise<number> {
  const failureFile = pathsIn(directory).failure;
  await Deno.remove(failureFile).catch(() => {});
  sendServiceState({ state: "reloading" });
  try {
    giveUp.throwIfAborted();
    using successor = await launch(absolute(command, directory), failureFile);
    using _listening = whenAborted(giveUp, () => successor.kill());
    const end = await within(
      Promise.race([gone, successor.ended]),
      PATIENCE,
      () => "late" as const,
    );
    if (end === successor.pid) return end;
    if (end === "late" || typeof end === "number") successor.kill();
    giveUp.throwIfAborted();
    if (typeof end === "number") throw overtaken(end);
    // It may have taken over all the same, and ended then.
    const why = end === "late"
      ? `it did not take over within ${describeDuration(PATIENCE)}, and was killed`
      : reasonIn(failureFile) ?? `${end.how}, see the log`;
    throw failed(successor.pid, why);
  } catch (error) {
    sendServiceState({ state: "ready" });
    throw error;
  } finally {
    await Deno.remove(failureFile).catch(() => {});
  }
}

/**
 * The command with nothing in it that depends on the directory this process was started in: that may
 * be gone by now. @param directory the runtime directory
 */
export function absolute({ path, args }: OwnCommand, directory: string): OwnCommand {
  return {
    path,
    args: args.map((argument, index) => {
      if (args[index - 1] === RUNTIME_DIRECTORY) return directory;
      return argument.startsWith(`${RUNTIME_DIRECTORY}=`)
        ? `${RUNTIME_DIRECTORY}=${directory}`
        : argument;
    }),
  };
}

/** What the successor left; `null` if it left nothing. */
function reasonIn(failureFile: string): string | null {
  try {
    return readRegularFile(failureFile);
  } catch {
    return null;
  }
}

/** Calls something when a signal is given, until this is disposed of. */
function whenAborted(signal: AbortSignal, call: () => void): Disposable {
  signal.addEventListener("abort", call);
  return { [Symbol.dispose]: () => signal.removeEventListener("abort", call) };
}

function overtaken(pid: number): ApiError {
  const message = `Process ${pid}, which somebody else has started, has taken over meanwhile`;
  return new ApiError("upgrade_failed", message);
}

function failed(pid: number, why: string): ApiError {
  const message = `The successor (process ${pid}) failed, and this proxy goes on: ${why.trim()}`;
  return new ApiError("upgrade_failed", message);
}
