/**
 * The lock of a runtime directory: who holds it owns the directory.
 *
 * @module
 */

import { Failure } from "../failure.ts";
import { whyNoEpoll } from "../linux/available.ts";
import { readRegularFile, writeRegularFile } from "../regular_file.ts";
import { pathsIn } from "./paths.ts";

/** Another process has the directory. */
export class DirectoryTaken extends Failure {}

/** A lock on a directory. */
export interface Lock {
  /** The descriptor of the locked file; `null` where it is not known. */
  readonly descriptor: number | null;
  release(): void;
}

/** Locks a directory, until the lock is released or the process ends. */
export async function lock(directory: string): Promise<Lock> {
  const path = pathsIn(directory).lock;
  const info = await Deno.lstat(path).catch(() => null);
  if (info?.isSymlink) throw new Failure(`The lock ${path} is a symbolic link`);
  if (info?.isFile === false) {
    throw new Failure(`The lock ${path} is not a regular file: remove what is there instead`);
  }
  const file = await Deno.open(path, { write: true, create: true, mode: 0o600 });
  try {
    // One that is older may be open to others, and whoever can open it can lock it.
    await Deno.chmod(path, 0o600);
    const locked = whyNoEpoll() === null
      ? await lockByDescriptor(path)
      : await lockFile(file, path);
    if (locked === null) throw takenBy(directory);
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
  const { tryLock } = await import("../linux/lock.ts");
  const descriptor = tryLock(path);
  if (descriptor === null) return null;
  return inheritedLock(descriptor);
}

/** A lock that is held already, by its descriptor. */
export function inheritedLock(descriptor: number): Lock {
  return { descriptor, release: () => closeDescriptor(descriptor) };
}

async function lockFile(file: Deno.FsFile, path: string): Promise<Lock | null> {
  if (!await file.tryLock(true)) return null;
  // Somebody who failed to start may have removed it just before it was locked.
  const [mine, there] = [await file.stat(), await Deno.lstat(path).catch(() => null)];
  return mine.ino === there?.ino ? { descriptor: null, release: () => file.close() } : null;
}

async function closeDescriptor(descriptor: number): Promise<void> {
  const { libc } = await import("../linux/libc.ts");
  libc.close(descriptor);
}

/**
 * Writes into the lock, which must be ours, who has it now. Only for people, so that a full disk is no
 * reason to fail.
 */
export function signLock(directory: string, who: "proxy" | "keeper"): void {
  const text = who === "proxy" ? `${Deno.pid}` : `${Deno.pid} keeper`;
  try {
    writeRegularFile(pathsIn(directory).lock, `${text}\n`, "instead");
  } catch { /* it is locked all the same */ }
}

function readLock(directory: string): string {
  try {
    return readRegularFile(pathsIn(directory).lock);
  } catch {
    return "";
  }
}

function takenBy(directory: string): DirectoryTaken {
  const text = readLock(directory);
  const [pid, role] = text.trim().split(" ");
  const process = pid ? ` (process ${pid})` : "";
  if (role === "keeper") {
    return new DirectoryTaken(
      `A keeper${process} keeps the clients of the proxy with the runtime directory ${directory}: ` +
        "only a proxy with the epoll relay, and without --takeover never, can go on with them",
    );
  }
  return new DirectoryTaken(
    `Another proxy${process} runs with the runtime directory ${directory}: ` +
      "stop that one first, or choose another directory with --runtime-dir",
  );
}
