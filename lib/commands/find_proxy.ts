/**
 * Which proxy a command is meant for.
 *
 * @module
 */

import { basename, resolve } from "node:path";
import { ControlClient } from "../control/client.ts";
import { EXIT } from "../exit_codes.ts";
import { isDenied, runningIn } from "../control/running_in.ts";
import type { Status } from "../control/api.ts";
import { overSsh, parseSshHost, runOverSsh, type SshHost } from "../control/ssh.ts";
import { Failure } from "../failure.ts";
import { messageOf } from "../message_of.ts";
import { defaultDirectories } from "../runtime_directory/paths.ts";

/** How long a proxy may take to show that it is there, in milliseconds. */
export const LOOK_PATIENCE = 2000;

/** The options that name proxies. */
export interface Which {
  readonly runtimeDir?: readonly string[];
  readonly port?: readonly number[];
  /** All that run in the default directories. */
  readonly all?: boolean;
  /** Where they run, if not here. */
  readonly host?: readonly SshHost[];
}

/** One proxy that is named, or the only one. */
type Named = { readonly runtimeDir: string } | { readonly port: number } | null;

/**
 * Finds the proxy that is meant: by `--runtime-dir` or `--port`, by `$PROXYCTL_RUNTIME_DIR`, or
 * because there is only one.
 *
 * @throws {Failure} when none, or no single one, is meant
 */
export async function findProxy(which: Which): Promise<ControlClient> {
  const [proxy, ...others] = await findProxies(which);
  if (proxy !== undefined && others.length === 0) return proxy;
  throw new Failure("This is about one proxy: name only one", EXIT.usage);
}

/**
 * Finds all proxies that are meant; as {@linkcode findProxy} where none is named.
 *
 * @throws {Failure} when none is meant
 */
export async function findProxies(which: Which): Promise<ControlClient[]> {
  const { all = false } = which;
  const hosts = hostsOf(which);
  const names = namesOf(which);
  if (hosts.length === 0) {
    return all ? await findAll() : await Promise.all(names.map(find));
  }
  const found = await Promise.all(hosts.map(async (host) => {
    const there = all ? await runningOn(host) : names;
    return there.map((name) => elsewhere(host, name));
  }));
  return found.flat();
}

/** @throws {Failure} when they are named in two ways */
function namesOf({ runtimeDir = [], port = [], all = false }: Which): Named[] {
  const ways = [runtimeDir.length > 0, port.length > 0, all].filter(Boolean);
  if (ways.length > 1) {
    const which = all
      ? "--all names all, and others are named"
      : "Both --runtime-dir and --port name a proxy";
    throw new Failure(`${which}: give only one of these options`, EXIT.usage);
  }
  if (runtimeDir.includes("")) {
    throw new Failure("--runtime-dir is empty: give the path of a directory", EXIT.usage);
  }
  const names = [
    ...runtimeDir.map((runtimeDir) => ({ runtimeDir })),
    ...port.map((port) => ({ port })),
  ];
  return names.length > 0 ? names : [null];
}

/**
 * The machines that are meant, by `--host` or `$PROXYCTL_HOST`; none if it is this one.
 *
 * @throws {Failure} when the environment names none that can be read
 */
export function hostsOf({ host = [] }: Which): readonly SshHost[] {
  if (host.length > 0) return host;
  const texts = (Deno.env.get("PROXYCTL_HOST") ?? "").split(/\s+/).filter(Boolean);
  try {
    return texts.map(parseSshHost);
  } catch (error) {
    throw new Failure(`$PROXYCTL_HOST: ${(error as Error).message}`, EXIT.usage);
  }
}

/** A proxy on another machine. */
function elsewhere(host: SshHost, name: Named): ControlClient {
  const [which, words] = name === null
    ? ["", []]
    : "port" in name
    ? [` port ${name.port}`, ["--port", `${name.port}`]]
    : [` ${name.runtimeDir}`, ["--runtime-dir", name.runtimeDir]];
  return new ControlClient({
    name: `${host.text}${which}`,
    ask: overSsh(host, ["proxyctl", ...words, "dial"]),
  });
}

/** Those that run on another machine, at least one. */
async function runningOn(host: SshHost): Promise<Named[]> {
  const list = await listOn(host);
  if (list.length === 0) throw new Failure(`${host.text}: No proxy runs there`, EXIT.noProxy);
  return list.map(({ directory }) => ({ runtimeDir: directory }));
}

/**
 * Lists those that run on another machine, by their directories there.
 *
 * @throws {Failure} when it cannot be asked
 */
export async function listOn(host: SshHost): Promise<Status[]> {
  try {
    return JSON.parse(await runOverSsh(host, ["proxyctl", "list", "--json"]));
  } catch (error) {
    const exitCode = error instanceof Failure ? error.exitCode : EXIT.unexpected;
    throw new Failure(`${host.text}: ${messageOf(error)}`, exitCode);
  }
}

/** All that run here. */
async function findAll(): Promise<ControlClient[]> {
  const { own, roots } = await defaultDirectories();
  const found = await runningIn([...own, ...roots], LOOK_PATIENCE);
  const [failed] = found.map(({ status }) => status).filter((one) => one instanceof Failure);
  if (failed !== undefined) throw failed;
  if (found.length === 0) {
    throw new Failure("No proxy runs in the default directories", EXIT.noProxy);
  }
  return found.map(({ directory }) => new ControlClient(directory));
}

async function find(name: Named): Promise<ControlClient> {
  const port = name !== null && "port" in name ? name.port : undefined;
  const given = name === null
    ? Deno.env.get("PROXYCTL_RUNTIME_DIR")
    : "runtimeDir" in name
    ? name.runtimeDir
    : undefined;
  if (given) return new ControlClient(resolve(given));
  const isMeant = (directory: string) =>
    port === undefined || basename(directory).split(":").at(-1) === `${port}`;
  const { own, roots } = await defaultDirectories();
  const directories = [...own, ...roots].filter(isMeant);
  const [only] = directories;
  if (only !== undefined && directories.length === 1 && own.includes(only)) {
    return new ControlClient(only);
  }
  const found = await runningIn(directories, LOOK_PATIENCE);
  const running = found.filter(({ status }) => !isDenied(status));
  const [first] = running;
  if (first === undefined) {
    const denied = found.map(({ status }) => status).filter(isDenied);
    if (denied.length > 0) {
      throw new Failure(denied.map(({ message }) => message).join("\n"), EXIT.permission);
    }
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
