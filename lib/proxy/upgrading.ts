import { ApiError } from "../control/errors.ts";
import { messageOf } from "../message_of.ts";
import type { Handover } from "./handover.ts";
import type { Log } from "./log.ts";

/** What is needed to be replaced. */
export interface UpgradingParts {
  /** The runtime directory. */
  readonly directory: string;
  readonly handover: Pick<Handover, "command" | "succession">;
  readonly log: Log;
}

/** Has a new process of the same program take over, when it is asked to. */
export class Upgrading {
  readonly #parts: UpgradingParts;
  readonly #stopping = new AbortController();
  #running: Promise<number> | null = null;

  constructor(parts: UpgradingParts) {
    this.#parts = parts;
  }

  /**
   * Starts a new process and waits until it has taken over; if one is on its way already, for that.
   * Why none has is said in the log as well.
   *
   * @returns its pid
   * @throws {ApiError} saying why none has taken over; then everything is as it was
   */
  start(): Promise<number> {
    return this.#running ??= this.#start().finally(() => this.#running = null);
  }

  /** The proxy stops: a new process is killed, if it has not taken over yet, and none is started. */
  stop(): void {
    this.#stopping.abort(new ApiError("stopping", "The proxy is stopping"));
  }

  async #start(): Promise<number> {
    try {
      return await this.#upgrade();
    } catch (error) {
      const reason = messageOf(error);
      this.#parts.log.warning(`Not upgraded: ${reason}`, { event: "not_upgraded", reason });
      throw error instanceof ApiError ? error : new ApiError("upgrade_failed", reason);
    }
  }

  async #upgrade(): Promise<number> {
    const { directory, handover: { command, succession }, log } = this.#parts;
    const { signal } = this.#stopping;
    signal.throwIfAborted();
    if (succession === null || command === null) {
      const message = "The portable relay cannot be taken over from: stop the proxy and start it";
      throw new ApiError("not_upgradable", message);
    }
    if (succession.keeper !== null) {
      throw new ApiError("parked", "The proxy is parked: stop it, and start its successor");
    }
    const { path, args } = await command;
    log.debug(`Starting a successor: ${path}`, { event: "upgrading", path });
    const { upgrade } = await import("./upgrade.ts");
    return await upgrade(directory, { path, args }, succession.gone, signal);
  }
}
