/**
 * The names of sockets in a runtime directory.
 *
 * @module
 */

import { basename, dirname, join } from "node:path";

/**
 * The name of a socket that is made first, under another name, and found under this one only once it
 * appears: when it answers, or when its process has become the owner of the directory. What can fail
 * for want of space or descriptors has not failed by then.
 */
export class AppearingSocket {
  /** Where the socket is to be bound. */
  readonly temporary: string;
  readonly #path: string;
  #inode: number | null = null;

  /** @param path of the name under which it is to appear */
  constructor(path: string) {
    this.#path = path;
    this.temporary = `${path}.${crypto.randomUUID().slice(0, 4)}`;
  }

  /** Puts the socket in its place, whoever was there before. Only for the owner of the directory. */
  async appear(): Promise<void> {
    const { ino } = await Deno.lstat(this.temporary);
    await Deno.rename(this.temporary, this.#path);
    this.#inode = ino;
  }

  /** Whether the name still is that of this socket. */
  async isThere(): Promise<boolean> {
    if (this.#inode === null) return false;
    const info = await Deno.lstat(this.#path).catch(() => null);
    return info?.ino === this.#inode;
  }

  /** Removes its names, as far as they are its own. @returns whether it was to be found */
  async disappear(): Promise<boolean> {
    const wasThere = await this.isThere();
    const name = wasThere ? this.#path : this.temporary;
    if (wasThere || this.#inode === null) await Deno.remove(name).catch(() => {});
    return wasThere;
  }

  /**
   * Clears away what others left behind who died before they appeared. Only for who has just become
   * the owner of the directory: later there may be somebody who is about to appear.
   */
  async clearRemains(): Promise<void> {
    const directory = dirname(this.#path);
    const prefix = `${basename(this.#path)}.`;
    try {
      for await (const { name } of Deno.readDir(directory)) {
        const isRemains = name.startsWith(prefix) && name !== basename(this.temporary);
        if (isRemains) await Deno.remove(join(directory, name));
      }
    } catch { /* they are in nobody's way */ }
  }
}
