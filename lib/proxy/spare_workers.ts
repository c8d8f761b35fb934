import { relayOptions } from "./listen.ts";
import type { ProxyOptions } from "./options.ts";

/**
 * Threads for a takeover. They are started before another process is asked to wait for this one, and
 * not again for as long as nothing has come of them, however often that is asked.
 */
export class SpareWorkers {
  readonly #options: ProxyOptions;
  #workers: Worker[] | null = null;

  constructor(options: ProxyOptions) {
    this.#options = options;
  }

  /** Starts them, if there are none yet. */
  async start(): Promise<void> {
    // Not before: what it is made of can only be loaded where it can run.
    const { startWorkers } = await import("../relay/epoll/workers.ts");
    this.#workers ??= await startWorkers(relayOptions(this.#options, "epoll").threads);
  }

  /** Gives them away; they must have been started. */
  take(): readonly Worker[] {
    const workers = this.#workers ?? [];
    this.#workers = null;
    return workers;
  }

  /** There is nothing to take over. */
  dismiss(): void {
    for (const worker of this.#workers ?? []) worker.terminate();
    this.#workers = null;
  }
}
