/**
 * Where the runtime directories of proxies are, and what is in them.
 *
 * @module
 */

import { basename, join, resolve } from "node:path";
import { formatAddress, type ListenAddress } from "../address.ts";
import { EXIT } from "../exit_codes.ts";
import { Failure } from "../failure.ts";

/** Where the directories of root's instances are by default. */
const ROOT_BASE = "/run/disnix-tcp-proxy";

/** Where the directories of all instances are by default. */
export function defaultBase(): string | null {
  if (Deno.uid() === 0) return ROOT_BASE;
  const base = Deno.env.get("XDG_RUNTIME_DIR");
  return base ? join(base, "disnix-tcp-proxy") : null;
}

/**
 * The runtime directory of the instance that listens there.
 *
 * @param option the value of `--runtime-dir`, if it was given
 * @throws {Failure} where there is no default for this user
 */
export function runtimeDirectory(option: string | undefined, listen: ListenAddress): string {
  if (option === "") {
    throw new Failure("--runtime-dir is empty: give the path of a directory", EXIT.usage);
  }
  if (option !== undefined) return resolve(option);
  // systemd gives a list where a unit has several (systemd.exec(5)).
  const [given] = (Deno.env.get("RUNTIME_DIRECTORY") ?? "").split(":");
  if (given) return resolve(given);
  const base = defaultBase();
  if (base === null) {
    throw new Failure(
      "There is no default runtime directory, because XDG_RUNTIME_DIR is not set: " +
        "give one with --runtime-dir",
    );
  }
  return join(base, formatAddress(listen));
}

/** The paths in a runtime directory. */
export function pathsIn(directory: string) {
  return {
    lock: join(directory, "lock"),
    control: join(directory, "control.sock"),
    handover: join(directory, "handover.sock"),
    record: join(directory, "drain.json"),
    /** The drains that were, a line of JSON each. */
    history: join(directory, "history.jsonl"),
    /** Where new connections were sent last, if that is not what the command line says. */
    retarget: join(directory, "retarget"),
    /** In which a process that was to take over says why it has not. */
    failure: join(directory, "upgrade.failure"),
    keeperLog: join(directory, "keeper.log"),
  };
}

/** The directories of instances in the default place, running or not: this user's, and root's. */
export async function defaultDirectories(): Promise<{ own: string[]; roots: string[] }> {
  const base = defaultBase();
  return {
    own: base === null ? [] : await directoriesIn(base),
    roots: base === ROOT_BASE ? [] : await directoriesIn(ROOT_BASE),
  };
}

async function directoriesIn(base: string): Promise<string[]> {
  const directories: string[] = [];
  try {
    for await (const entry of Deno.readDir(base)) {
      if (entry.isDirectory) directories.push(join(base, entry.name));
    }
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  return directories.sort((a, b) =>
    basename(a).localeCompare(basename(b), "en", { numeric: true })
  );
}
