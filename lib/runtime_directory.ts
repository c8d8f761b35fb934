/**
 * The runtime directory of a proxy: where it is, and who owns it.
 *
 * @module
 */

import { basename, dirname, join, resolve } from "node:path";
import { formatAddress, type ListenAddress } from "./address.ts";
import { Failure } from "./command_line.ts";
import { messageOf } from "./message_of.ts";
import { whyNoEpoll } from "./relay/epoll/available.ts";

/** What a Unix socket's path may have, in bytes. Source: unix(7), sun_path less its NUL. */
const LONGEST_SOCKET_PATH = 107;

/** The longest name in the directory: that of a socket before it appears. */
const LONGEST_NAME = "handover.sock.0123";

/** How often it is tried to have a directory that others give up meanwhile. */
const ATTEMPTS = 10;

/** Where the directories of all instances are by default. */
export function defaultBase(): string | null {
  if (Deno.uid() === 0) return "/run/disnix-tcp-proxy";
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
  if (option === "") throw new Failure("--runtime-dir is empty: give the path of a directory");
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
    /** In which a process that was to take over says why it has not. */
    failure: join(directory, "upgrade.failure"),
    keeperLog: join(directory, "keeper.log"),
  };
}

/** Another process has the directory. */
export class DirectoryTaken extends Failure {}

/** A runtime directory that is ours for as long as this is not disposed of. */
export class OwnedDirectory implements Disposable {
  readonly #lock: Lock;

  private constructor(
    readonly path: string,
    lock: Lock,
    private readonly made: readonly string[],
  ) {
    this.#lock = lock;
  }

  /**
   * Makes the directory, or takes the one that is there, and locks it.
   *
   * @param group the numeric id of the group that may control the proxy, if there is one
   * @throws {Failure} saying what is wrong with the directory, or who has it
   */
  static async take(path: string, group: number | null): Promise<OwnedDirectory> {
    const longest = join(path, LONGEST_NAME);
    if (new TextEncoder().encode(longest).length > LONGEST_SOCKET_PATH) {
      const most = LONGEST_SOCKET_PATH - LONGEST_NAME.length - 1;
      throw new Failure(
        `The path of the runtime directory ${path} is too long for a Unix socket: ` +
          `at most ${most} bytes, choose another with --runtime-dir`,
      );
    }
    for (let attempt = 1;; attempt++) {
      try {
        return await OwnedDirectory.#take(path, group);
      } catch (error) {
        if (error instanceof Failure) throw error;
        // Somebody whose start failed may have removed something just before it was opened.
        if (isNotFound(error) && attempt < ATTEMPTS) continue;
        const what = messageOf(error);
        throw new Failure(`Failed to use the runtime directory ${path}: ${what}`);
      }
    }
  }

  static async #take(path: string, group: number | null): Promise<OwnedDirectory> {
    const made: string[] = [];
    try {
      await makeDirectory(path, made);
      await secure(path);
      const owned = new OwnedDirectory(path, await lock(path), made);
      // Not before: it may be another proxy's, with other options.
      await letIn(path, group).catch(async (error) => {
        await owned.abandon();
        throw error;
      });
      return owned;
    } catch (error) {
      await removeDirectories(made);
      throw error;
    }
  }

  /**
   * Has a directory that another process gave up for this one.
   *
   * @param descriptor of its lock
   * @param group the numeric id of the group that may control the proxy, if there is one
   */
  static async inherit(
    path: string,
    descriptor: number,
    group: number | null,
  ): Promise<OwnedDirectory> {
    await signLock(path, "proxy");
    // That it can be given to this group was seen with the control socket.
    await letIn(path, group).catch(() => {});
    return new OwnedDirectory(
      path,
      { descriptor, release: () => closeDescriptor(descriptor) },
      [],
    );
  }

  /** The descriptor of the lock, to be passed on; `null` where it is not known. */
  get lock(): number | null {
    return this.#lock.descriptor;
  }

  /** Gives it up after a start that failed: what was not there before is not there afterwards. */
  async abandon(): Promise<void> {
    await Deno.remove(pathsIn(this.path).lock).catch(() => {});
    await removeDirectories(this.made);
    this.#lock.release();
  }

  /** Gives the directory up. It stays, with what is to be remembered in it. */
  [Symbol.dispose](): void {
    this.#lock.release();
  }
}

function isNotFound(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "ENOENT";
}

/** Makes a directory and those above it. @param made gets what was not there, the deepest first */
async function makeDirectory(path: string, made: string[], mode = 0o700): Promise<void> {
  const above = dirname(path);
  // Others may look for their own instance in the directory above, so that is not private.
  if (!await exists(above)) await makeDirectory(above, made, 0o755);
  try {
    await Deno.mkdir(path, { mode });
    made.unshift(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.AlreadyExists)) throw error;
  }
}

async function exists(path: string): Promise<boolean> {
  try {
    await Deno.stat(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

/** Removes directories, as far as nobody has put anything into them. */
async function removeDirectories(paths: readonly string[]): Promise<void> {
  for (const path of paths) await Deno.remove(path).catch(() => {});
}

/** Shuts strangers out of a directory, if it is one that can be had for this. */
async function secure(path: string): Promise<void> {
  const info = await Deno.lstat(path);
  if (info.isSymlink) throw new Failure(`The runtime directory ${path} is a symbolic link`);
  if (!info.isDirectory) throw new Failure(`The runtime directory ${path} is not a directory`);
  if (info.uid !== Deno.uid()) {
    throw new Failure(
      `The runtime directory ${path} belongs to user ${info.uid}, not to user ${Deno.uid()} ` +
        "as whom the proxy runs",
    );
  }
  // For one who says --runtime-dir /run: nobody else could use that any more.
  const shutsOut = ((info.mode ?? 0) & 0o777 & ~0o750) !== 0;
  const [stranger] = shutsOut ? await strangersIn(path) : [];
  if (stranger !== undefined) {
    throw new Failure(
      `The runtime directory ${path} is open to others and holds "${stranger}", which is no ` +
        "file of a proxy: choose a directory for the proxy alone with --runtime-dir",
    );
  }
  if (shutsOut) await Deno.chmod(path, (info.mode ?? 0) & 0o750 | 0o700);
}

/** Lets the group in, or nobody else. */
async function letIn(path: string, group: number | null): Promise<void> {
  if (group !== null) await Deno.chown(path, null, group);
  await Deno.chmod(path, group === null ? 0o700 : 0o750);
}

async function strangersIn(path: string): Promise<string[]> {
  const ours = Object.values(pathsIn(path)).map((one) => basename(one));
  const strangers = [];
  for await (const { name } of Deno.readDir(path)) {
    if (!ours.some((one) => name.startsWith(one))) strangers.push(name);
  }
  return strangers;
}

/** A lock on a directory. */
interface Lock {
  /** The descriptor of the locked file; `null` where it is not known. */
  readonly descriptor: number | null;
  release(): void;
}

/** Locks a directory, until the lock is released or the process ends. */
async function lock(directory: string): Promise<Lock> {
  const path = pathsIn(directory).lock;
  const info = await Deno.lstat(path).catch(() => null);
  if (info?.isSymlink) throw new Failure(`The lock ${path} is a symbolic link`);
  const file = await Deno.open(path, { write: true, create: true, mode: 0o600 });
  try {
    // One that is older may be open to others, and whoever can open it can lock it.
    await Deno.chmod(path, 0o600);
    const locked = whyNoEpoll() === null
      ? await lockByDescriptor(path)
      : await lockFile(file, path);
    if (locked === null) throw await takenBy(directory);
    await file.truncate();
    await file.write(new TextEncoder().encode(`${Deno.pid}\n`));
    if (locked.descriptor !== null) file.close();
    return locked;
  } catch (error) {
    file.close();
    throw error;
  }
}

/** With a descriptor that can be passed on to another process. */
async function lockByDescriptor(path: string): Promise<Lock | null> {
  // Not before: what it is made of can only be loaded where it can run.
  const { tryLock } = await import("./linux/lock.ts");
  const descriptor = tryLock(path);
  if (descriptor === null) return null;
  return { descriptor, release: () => closeDescriptor(descriptor) };
}

async function lockFile(file: Deno.FsFile, path: string): Promise<Lock | null> {
  if (!await file.tryLock(true)) return null;
  // Somebody who failed to start may have removed it just before it was locked.
  const [mine, there] = [await file.stat(), await Deno.lstat(path).catch(() => null)];
  return mine.ino === there?.ino ? { descriptor: null, release: () => file.close() } : null;
}

async function closeDescriptor(descriptor: number): Promise<void> {
  const { libc } = await import("./linux/libc.ts");
  libc.close(descriptor);
}

/**
 * Writes into the lock, which must be ours, who has it now. Only for people, so that a full disk is no
 * reason to fail.
 */
export async function signLock(directory: string, who: "proxy" | "keeper"): Promise<void> {
  const text = who === "proxy" ? `${Deno.pid}` : `${Deno.pid} keeper`;
  await Deno.writeTextFile(pathsIn(directory).lock, `${text}\n`).catch(() => {});
}

async function takenBy(directory: string): Promise<DirectoryTaken> {
  const text = await Deno.readTextFile(pathsIn(directory).lock).catch(() => "");
  const [pid, role] = text.trim().split(" ");
  const process = pid ? ` (process ${pid})` : "";
  if (role === "keeper") {
    return new DirectoryTaken(
      `A keeper${process} keeps the clients of the proxy with the runtime directory ${directory}: ` +
        "only a proxy with --takeover auto and the epoll relay can go on with them",
    );
  }
  return new DirectoryTaken(
    `Another proxy${process} runs with the runtime directory ${directory}: ` +
      "stop that one first, or choose another directory with --runtime-dir",
  );
}

/** The directories of instances in the default place, running or not. */
export async function defaultDirectories(): Promise<string[]> {
  const base = defaultBase();
  if (base === null) return [];
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
