import * as v from "valibot";
import { isNotFound, readRegularFile } from "../regular_file.ts";
import { within } from "../within.ts";
import { type HistoryStore, MOST_REMEMBERED } from "./history.ts";
import { type PastDrain, pastDrain } from "./past_drain.ts";

/** How long the end of the process may wait for what is being written, in milliseconds. */
const FLUSH_PATIENCE = 500;

/**
 * The history of drains in a file, a line of JSON each. It is written in the background and no drain
 * waits for it: one that cannot be written is said once, and forgotten with the process.
 */
export class HistoryFile implements HistoryStore {
  #next: readonly PastDrain[] | null = null;
  #written: Promise<void> | null = null;
  #hasLeft = false;
  #hasFailed = false;

  /** @param failed is told why it cannot be written, once until it can be again */
  constructor(readonly path: string, private readonly failed: (error: unknown) => void) {}

  write(all: readonly PastDrain[]): void {
    if (this.#hasLeft) return;
    this.#next = all;
    this.#written ??= this.#writeAll().finally(() => this.#written = null);
  }

  leave(): void {
    this.#hasLeft = true;
  }

  /** Waits, for a moment at the most, until all is written. */
  async flush(): Promise<void> {
    if (this.#written !== null) await within(this.#written, FLUSH_PATIENCE);
  }

  async #writeAll(): Promise<void> {
    while (this.#next !== null && !this.#hasLeft) {
      const all = this.#next;
      this.#next = null;
      try {
        await this.#writeOnce(all.map((one) => `${JSON.stringify(one)}\n`).join(""));
        this.#hasFailed = false;
      } catch (error) {
        if (!this.#hasFailed) this.failed(error);
        this.#hasFailed = true;
      }
    }
  }

  async #writeOnce(text: string): Promise<void> {
    const temporary = `${this.path}.new`;
    await Deno.remove(temporary).catch(() => {});
    try {
      await Deno.writeTextFile(temporary, text, { createNew: true, mode: 0o600 });
      // By now it may be another process's.
      if (!this.#hasLeft) await Deno.rename(temporary, this.path);
    } finally {
      await Deno.remove(temporary).catch(() => {});
    }
  }
}

/**
 * Reads what an earlier process remembered, the oldest first. Lines that are not understood are left
 * out.
 *
 * @param failed is told why it cannot be read, if it is there
 */
export function readHistory(
  path: string,
  failed: (error: unknown) => void = () => {},
): PastDrain[] {
  let text: string;
  try {
    text = readRegularFile(path);
  } catch (error) {
    if (!isNotFound(error)) failed(error);
    return [];
  }
  return text.split("\n").flatMap((line) => {
    try {
      const parsed = v.safeParse(pastDrain, JSON.parse(line));
      return parsed.success ? [parsed.output] : [];
    } catch {
      return [];
    }
  }).slice(-MOST_REMEMBERED);
}
