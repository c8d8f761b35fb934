/**
 * Keeps the drain record in a file.
 *
 * @module
 */

import { dirname } from "node:path";
import { type DrainRecord, formatRecord, parseRecord, type RecordStore } from "./record.ts";
import { messageOf } from "../message_of.ts";
import { isNotFound, NotRegular, readRegularFile } from "../regular_file.ts";

/** The drain record in a file, written so that a crash at any point leaves it whole or as it was. */
export class RecordFile implements RecordStore {
  /** @param path the file; its directory must exist */
  constructor(readonly path: string) {}

  async write(record: DrainRecord): Promise<void> {
    const temporary = `${this.path}.new`;
    await Deno.remove(temporary).catch(() => {});
    try {
      using file = await Deno.open(temporary, { write: true, createNew: true, mode: 0o600 });
      let bytes = new TextEncoder().encode(formatRecord(record));
      while (bytes.length > 0) bytes = bytes.subarray(await file.write(bytes));
      await file.sync();
      await Deno.rename(temporary, this.path);
    } catch (error) {
      await Deno.remove(temporary).catch(() => {});
      throw error;
    }
    await this.#syncDirectory();
  }

  async remove(): Promise<void> {
    try {
      await Deno.remove(this.path);
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return;
      throw error;
    }
    await this.#syncDirectory();
  }

  /**
   * Reads what an earlier process left. A record that cannot be understood is moved aside, so that
   * it can be looked at and is not met again.
   *
   * @returns `null` if there is none, or none that can be understood
   * @param complain is told what was wrong with it, and where it is now
   * @throws when the file is there and cannot be read
   */
  async read(complain: (message: string) => void): Promise<DrainRecord | null> {
    await Deno.remove(`${this.path}.new`).catch(() => {});
    let text: string;
    try {
      text = readRegularFile(this.path);
    } catch (error) {
      if (isNotFound(error)) return null;
      if (!(error instanceof NotRegular)) throw error;
      return await this.#moveAside(error, complain);
    }
    try {
      return parseRecord(text);
    } catch (error) {
      return await this.#moveAside(error, complain);
    }
  }

  async #moveAside(why: unknown, complain: (message: string) => void): Promise<null> {
    const aside = `${this.path}.corrupt`;
    await Deno.rename(this.path, aside);
    const what = messageOf(why);
    complain(`The drain record cannot be understood (${what}); it is now ${aside}`);
    return null;
  }

  /** A rename or a removal is on the disk only once the directory is. */
  async #syncDirectory(): Promise<void> {
    using directory = await Deno.open(dirname(this.path));
    await directory.sync();
  }
}
