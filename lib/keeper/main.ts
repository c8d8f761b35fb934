/**
 * The keeper's process: a mode of proxyctl that nobody calls by hand, `keep DIRECTORY MILLISECONDS`.
 *
 * @module
 */

import { writeAll } from "../standard_streams.ts";
import { Failure } from "../failure.ts";
import { EXIT } from "../exit_codes.ts";
import { NobodyThere } from "../handover/nobody_there.ts";
import { Refused } from "../handover/receiver.ts";
import { SystemError } from "../linux/errno.ts";
import { leaveSession } from "../linux/user.ts";
import { messageOf } from "../message_of.ts";
import { hearSignals } from "../signals.ts";
import { Keeper } from "./keeper.ts";
import { KeeperLog } from "./log.ts";
import { becomeOwnerOf } from "./owner.ts";
import type { KeeperReport } from "./report.ts";

/** Runs a keeper to its end. @returns the exit code */
export async function keep([directory = "", time = ""]: readonly string[]): Promise<number> {
  const stop = Promise.withResolvers<void>();
  // It has no terminal and nothing to read again, and clients depend on it: nothing else ends it.
  await hearSignals((signal) => {
    if (signal === "SIGTERM" || signal === "SIGINT" || signal === "SIGQUIT") stop.resolve();
  });
  const until = Date.now() + Number(time);
  let keeper: Keeper;
  const log = new KeeperLog(directory);
  try {
    leaveSession();
    const group = becomeOwnerOf(directory);
    keeper = await Keeper.take({ directory, group, until, log });
  } catch (error) {
    const { message, exitCode } = failure(error, directory);
    report({ parked: false, message, exitCode });
    return exitCode;
  }
  void stop.promise.then(() => keeper.stop());
  report({ parked: true, keeper: Deno.pid, until, queued: keeper.queued });
  try {
    await keeper.run();
    return EXIT.done;
  } catch (error) {
    log.write(`Failed: ${messageOf(error)}`);
    return EXIT.unexpected;
  }
}

/** Tells proxyctl, which may be gone. */
function report(line: KeeperReport): void {
  try {
    writeAll(Deno.stdout, `${JSON.stringify(line)}\n`);
  } catch { /* it matters to nobody else */ }
}

function failure(error: unknown, directory: string): Failure {
  if (error instanceof Refused) {
    return new Failure(`Failed to park the proxy: ${error.reason}`, EXIT.wrongState);
  }
  if (error instanceof NobodyThere) {
    return new Failure(`Failed to park the proxy at ${directory}: it has just ended`, EXIT.noProxy);
  }
  if (error instanceof Failure) return error;
  const code = error instanceof SystemError ? error.code : "";
  if (code === "EACCES" || code === "EPERM") {
    return new Failure(
      `Permission denied for the handover socket in ${directory}: park as the user of the proxy, ` +
        "or as root",
      EXIT.permission,
    );
  }
  if (code === "ENOENT" || code === "ECONNREFUSED") {
    return new Failure(`No proxy that can be parked runs at ${directory}`, EXIT.noProxy);
  }
  return new Failure(`Failed to park the proxy at ${directory}: ${messageOf(error)}`);
}
