import { chooseRelay } from "../relay/choose.ts";
import { relayOptions } from "./listen.ts";
import type { ProxyOptions } from "./options.ts";

/**
 * Threads for the relay. They are started before all that can be done meanwhile, and before another
 * process is asked to wait for this one; only once, however often that is asked.
 */
export class SpareWorkers {
  readonly #options: ProxyOptions;
  #workers: Promise<readonly Worker[]> | null = null;

  constructor(options: ProxyOptions) {
    this.#options = options;
  }

  /**
   * Starts them, if there are none yet and the relay has any.
   *
   * @returns none where it has none
   * @throws {Failure} when the relay that was asked for cannot run here
   */
  async get(): Promise<readonly Worker[] | undefined> {
    if (chooseRelay(this.#options.relay).kind !== "epoll") return undefined;
    return await (this.#workers ??= this.#start());
  }

  /** Nobody needs them any more. */
  dismiss(): void {
    this.#workers?.then((workers) => workers.forEach((worker) => worker.terminate()), () => {});
  }

  async #start(): Promise<readonly Worker[]> {
    // Not before: what it is made of can only be loaded where it can run.
    const { startWorkers } = await import("../relay/epoll/workers.ts");
    return await startWorkers(relayOptions(this.#options, "epoll").threads);
  }
}
