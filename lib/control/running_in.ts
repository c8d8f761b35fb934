import { basename } from "node:path";
import { Failure } from "../failure.ts";
import { whyNoEpoll } from "../linux/available.ts";
import { pathsIn } from "../runtime_directory/paths.ts";
import type { Status } from "./api.ts";
import { ControlClient } from "./client.ts";
import { EXIT } from "../exit_codes.ts";

/** A proxy that was found to run, though it may not say how it is. */
export interface FoundProxy {
  readonly directory: string;
  /** How it is, or why it does not say. */
  readonly status: Status | Failure;
}

/**
 * Looks which of these directories belong to a proxy that runs.
 *
 * @param patience how long each may take to answer, in milliseconds
 */
export async function runningIn(
  directories: readonly string[],
  patience: number,
): Promise<FoundProxy[]> {
  const looked = await Promise.all(directories.map(async (directory) => {
    const client = new ControlClient(directory, patience);
    const status = await client.json<Status>("GET", "/v1/status").catch((error: unknown) => {
      if (isDenied(error)) return denied(directory);
      return error instanceof Failure ? error : new Failure(String(error));
    });
    return { directory, status };
  }));
  return looked.filter(({ status }) =>
    !(status instanceof Failure) || status.exitCode !== EXIT.noProxy
  );
}

/** Whether somebody is not allowed to ask a proxy. */
export function isDenied(status: unknown): status is Failure {
  return status instanceof Failure && status.exitCode === EXIT.permission;
}

/** What to say of a directory that is another user's, whose proxy may have ended. */
async function denied(directory: string): Promise<Failure> {
  if (!await isServed(directory)) return new Failure(`No proxy runs at ${directory}`, EXIT.noProxy);
  const { uid } = await Deno.stat(directory);
  const port = basename(directory).split(":").at(-1) ?? "";
  const which = port === "0" ? `--runtime-dir ${directory}` : `--port ${port}`;
  const what = port === "0" ? `at ${directory}` : `on port ${port}`;
  return new Failure(
    `The proxy ${what} belongs to ${uid === 0 ? "root" : `user ${uid}`}: ` +
      `sudo proxyctl ${which} status`,
    EXIT.permission,
  );
}

/** Whether a process listens on the control socket of a directory that cannot be looked into. */
async function isServed(directory: string): Promise<boolean> {
  if (whyNoEpoll() !== null) return true;
  // Not before: what it is made of can only be loaded where it can run.
  const { readFile } = await import("../linux/read_file.ts");
  // It has the name under which the socket was bound, which is longer (proc(5)).
  return readFile("/proc/net/unix").includes(` ${pathsIn(directory).control}`);
}
