/**
 * Replaces this process by a new one of the same program, with the same command line, which takes
 * over from it.
 *
 * @module
 */

import { ApiError } from "../control/api_error.ts";
import { describeDuration } from "../duration.ts";
import { tellServiceManager } from "../linux/service_manager.ts";
import { pathsIn } from "../runtime_directory.ts";
import { launch } from "./successor.ts";

/** How long a successor may take to take over, in milliseconds. */
const PATIENCE = 20_000;

/**
 * Starts a successor and waits until it has taken over.
 *
 * @param directory the runtime directory
 * @param gone resolves when another process has taken over, to its pid
 * @param giveUp has it killed, if it has not taken over yet
 * @returns the pid of the successor
 * @throws {ApiError} saying why it has not taken over; then everything is as it was
 */
export async function upgrade(
  directory: string,
  gone: Promise<number>,
  giveUp: AbortSignal,
): Promise<number> {
  const failureFile = pathsIn(directory).failure;
  await Deno.remove(failureFile).catch(() => {});
  tellServiceManager({ state: "reloading" });
  try {
    giveUp.throwIfAborted();
    using successor = await launch(failureFile);
    using _listening = whenAborted(giveUp, () => successor.kill());
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<"late">((resolve) => {
      timer = setTimeout(() => resolve("late"), PATIENCE);
    });
    const end = await Promise.race([gone, successor.ended, late]);
    clearTimeout(timer);
    if (end === successor.pid) return end;
    if (end === "late" || typeof end === "number") successor.kill();
    giveUp.throwIfAborted();
    if (typeof end === "number") throw overtaken(end);
    // It may have taken over all the same, and ended then.
    const why = end === "late"
      ? `it did not take over within ${describeDuration(PATIENCE)}, and was killed`
      : await Deno.readTextFile(failureFile).catch(() => `${end.how}, see the log`);
    throw failed(successor.pid, why);
  } catch (error) {
    tellServiceManager({ state: "ready" });
    throw error;
  } finally {
    await Deno.remove(failureFile).catch(() => {});
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
