import { messageOf } from "../message_of.ts";
import type { DrainRecord, RecordStore } from "./record.ts";
import { type DrainEvent, DrainRefused } from "./types.ts";

/** Keeps the record of a drain, and tells when that fails. */
export class Recorder {
  readonly #store: RecordStore;
  readonly #report: (event: DrainEvent) => void;

  /** @param report is told of what fails */
  constructor(store: RecordStore, report: (event: DrainEvent) => void) {
    this.#store = store;
    this.#report = report;
  }

  /** @throws {DrainRefused} when it cannot be written */
  async write(record: DrainRecord): Promise<void> {
    try {
      await this.#store.write(record);
    } catch (error) {
      const what = messageOf(error);
      this.#report({ type: "record_failed", action: "write", error: what });
      const message = `Failed to write the drain record, so nothing was changed: ${what}`;
      throw new DrainRefused("record_not_written", message);
    }
  }

  /** For what is worth recording, but no reason to refuse or to fail anything. */
  async tryToWrite(record: DrainRecord): Promise<void> {
    await this.write(record).catch(() => {});
  }

  /** To stay closed because of a record that cannot be removed would only make it worse. */
  async tryToRemove(): Promise<void> {
    try {
      await this.#store.remove();
    } catch (error) {
      this.#report({ type: "record_failed", action: "remove", error: messageOf(error) });
    }
  }
}
