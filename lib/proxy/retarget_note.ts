import { type Address, formatAddress } from "../address.ts";
import type { DrainEvent } from "../drain/types.ts";
import { messageOf } from "../message_of.ts";
import { isNotFound, readRegularFile, writeRegularFile } from "../regular_file.ts";
import type { Log } from "./log.ts";

/** What a note is made with. */
export interface RetargetNoteParts {
  /** The file. */
  readonly path: string;
  /** The service on the command line. */
  readonly commandUpstream: Address;
  readonly log: Log;
}

/**
 * Notes where new connections were sent at run time, so that the next process can say that it sends
 * them elsewhere. Nothing is done by it: a retarget lasts as long as the process and those that take
 * over from it, or as the drain that it belongs to.
 */
export class RetargetNote {
  readonly #path: string;
  readonly #commandUpstream: string;
  readonly #log: Log;

  constructor({ path, commandUpstream, log }: RetargetNoteParts) {
    this.#path = path;
    this.#commandUpstream = formatAddress(commandUpstream);
    this.#log = log;
  }

  /** Notes what happens. */
  hear(event: DrainEvent): void {
    if (event.type !== "retargeted" || event.restored) return;
    try {
      if (event.upstream === this.#commandUpstream) this.#remove();
      else writeRegularFile(this.#path, `${event.upstream}\n`, "instead");
    } catch (error) {
      this.#failed(error);
    }
  }

  /** Says so if the process before was sent elsewhere. @param upstream where this one begins */
  tell(upstream: Address): void {
    const current = formatAddress(upstream);
    try {
      const noted = readRegularFile(this.#path).trim();
      if (noted === current) return;
      this.#remove();
      if (current !== this.#commandUpstream) return;
      this.#log.warning(
        `New connections go to ${current}, as the command line says; the retarget to ${noted} was ` +
          `for the process before: proxyctl retarget ${noted} to have it again`,
        { event: "retarget_over", upstream: current, before: noted },
      );
    } catch (error) {
      if (!isNotFound(error)) this.#failed(error);
    }
  }

  #remove(): void {
    try {
      Deno.removeSync(this.#path);
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }

  #failed(error: unknown): void {
    this.#log.warning(`Failed to note a retarget in ${this.#path}: ${messageOf(error)}`, {
      event: "retarget_note",
    });
  }
}
