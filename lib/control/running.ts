import { Failure } from "../command_line.ts";
import type { Status } from "./api.ts";
import { ControlClient } from "./client.ts";
import { EXIT } from "./exit_codes.ts";

/** A proxy that runs. */
export interface RunningProxy {
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
): Promise<RunningProxy[]> {
  const looked = await Promise.all(directories.map(async (directory) => {
    const client = new ControlClient(directory, patience);
    const status = await client.json<Status>("GET", "/v1/status").catch((error: unknown) => {
      return error instanceof Failure ? error : new Failure(String(error));
    });
    return { directory, status };
  }));
  return looked.filter(({ status }) =>
    !(status instanceof Failure) || status.exitCode !== EXIT.noProxy
  );
}
