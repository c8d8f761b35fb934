/**
 * A runtime directory of a proxy that has it for itself.
 *
 * @module
 */

import { basename, dirname, join } from "node:path";
import { Failure } from "../failure.ts";
import { messageOf } from "../message_of.ts";
import { isNotFound } from "../regular_file.ts";
import { inheritedLock, type Lock, lock, signLock } from "./lock.ts";
import { pathsIn } from "./paths.ts";

/** What a Unix socket's path may have, in bytes. Source: unix(7), sun_path less its NUL. */
const LONGEST_SOCKET_PATH = 107;

/** The longest name in the directory: that of a socket before it appears. */
const LONGEST_NAME = "handover.sock.0123";

/** How often it is tried to have a directory that others give up meanwhile. */
const ATTEMPTS = 10;

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
    signLock(path, "proxy");
    // That it can be given to this group was seen with the control socket.
    await letIn(path, group).catch(() => {});
    return new OwnedDirectory(path, inheritedLock(descriptor), []);
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

/**
 * Lets the group in, or nobody else. What is made in the directory is the group's as well (the bit
 * 02000, inode(7)): a keeper that is started by the proxy's own user may not be a member.
 */
async function letIn(path: string, group: number | null): Promise<void> {
  if (group === null) return await Deno.chmod(path, 0o700);
  await Deno.chown(path, null, group);
  try {
    await Deno.chmod(path, 0o2750);
  } catch (error) {
    // Service managers may forbid that bit (RestrictSUIDSGID=, systemd.exec(5)).
    if (!(error instanceof Deno.errors.PermissionDenied)) throw error;
    await Deno.chmod(path, 0o750);
  }
}

async function strangersIn(path: string): Promise<string[]> {
  const ours = Object.values(pathsIn(path)).map((one) => basename(one));
  const strangers = [];
  for await (const { name } of Deno.readDir(path)) {
    if (!ours.some((one) => name.startsWith(one))) strangers.push(name);
  }
  return strangers;
}
