/**
 * Which proxy a command is meant for.
 *
 * @module
 */

import { basename, resolve } from "node:path";
import { ControlClient } from "../control/client.ts";
import { EXIT } from "../control/exit_codes.ts";
import { runningIn } from "../control/running.ts";
import { Failure } from "../command_line.ts";
import { defaultDirectories } from "../runtime_directory.ts";

/** How long a proxy may take to show that it is there, in milliseconds. */
export const LOOK_PATIENCE = 2000;

/** The options that name a proxy. */
export interface Which {
  readonly runtimeDir?: string;
  readonly port?: number;
}

/**
 * Finds the proxy that is meant: by `--runtime-dir` or `--port`, by `$PROXYCTL_RUNTIME_DIR`, or
 * because there is only one.
 *
 * @throws {Failure} when none, or no single one, is meant
 */
export async function findProxy({ runtimeDir, port }: Which): Promise<ControlClient> {
  if (runtimeDir !== undefined && port !== undefined) {
    throw new Failure("Both --runtime-dir and --port name a proxy: give only one", EXIT.usage);
  }
  if (runtimeDir === "") {
    throw new Failure("--runtime-dir is empty: give the path of a directory", EXIT.usage);
  }
  const given = runtimeDir ??
    (port === undefined ? Deno.env.get("PROXYCTL_RUNTIME_DIR") : undefined);
  if (given) return new ControlClient(resolve(given));
  const isMeant = (directory: string) =>
    port === undefined || basename(directory).split(":").at(-1) === `${port}`;
  const directories = (await defaultDirectories()).filter(isMeant);
  const [only] = directories;
  if (only !== undefined && directories.length === 1) return new ControlClient(only);
  const running = await runningIn(directories, LOOK_PATIENCE);
  const [first] = running;
  if (first === undefined) {
    const where = port === undefined ? "in the default directories" : `on port ${port}`;
    const unset = Deno.uid() !== 0 && !Deno.env.get("XDG_RUNTIME_DIR");
    const hint = unset
      ? "XDG_RUNTIME_DIR is not set, so there are none: name one with --runtime-dir"
      : "name one with --runtime-dir if it has another directory";
    throw new Failure(`No proxy runs ${where}: ${hint}`, EXIT.noProxy);
  }
  if (running.length === 1) return new ControlClient(first.directory);
  const list = running.map(({ directory, status }) =>
    `  ${directory} (${status instanceof Failure ? "does not answer" : status.listen})`
  );
  throw new Failure(
    `Several proxies run, name one with --port or --runtime-dir:\n${list.join("\n")}`,
    EXIT.usage,
  );
}
