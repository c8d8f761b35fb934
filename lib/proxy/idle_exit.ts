import type { Clock } from "../clock.ts";
import type { Drain } from "../drain/drain.ts";
import { type Duration, formatDuration } from "../duration.ts";
import { IdleTimer } from "../idle_timer.ts";
import type { Relay } from "../relay/relay.ts";
import type { Log } from "./log.ts";

/**
 * How soon it is looked again at the earliest, in milliseconds: an open relay does not tell when
 * the last one goes, and a proxy that is to end at once then must not ask all the time.
 */
const PAUSE = 100;

/** What an idle exit needs of the proxy. */
export interface IdleProxy {
  readonly relay: Pick<Relay, "active" | "queued" | "suspended" | "idleFor" | "shutDown">;
  readonly drain: Pick<Drain, "status" | "stopIfUnused">;
  readonly clock: Clock;
  readonly log: Pick<Log, "info">;
}

/**
 * Ends a proxy that was open for so long with nobody there. One that holds does not end: whoever
 * drained it, and whoever is held, wants it to be there.
 */
export class IdleExit {
  readonly #proxy: IdleProxy;
  readonly #time: Duration;
  readonly #timer: IdleTimer;
  readonly #over = Promise.withResolvers<void>();
  #ending: Promise<boolean> = Promise.resolve(false);
  /** Since when nobody was seen: it was opened then, or somebody was suspended. */
  #nobodySince = 0;
  #stopped = false;

  /** @param time in milliseconds; `null` for never */
  constructor(time: Duration, proxy: IdleProxy) {
    this.#time = time;
    this.#proxy = proxy;
    this.#timer = new IdleTimer(time, () => this.#look());
    this.over.catch(() => {});
  }

  /** Resolves when the relay has been shut down; rejects when that failed. */
  get over(): Promise<void> {
    return this.#over.promise;
  }

  /** The proxy is open from now on. */
  opened(): void {
    this.#nobodySince = this.#proxy.clock.now();
    this.#lookAgain();
  }

  /** Ends nothing from now on. @returns whether it has ended the proxy before */
  stop(): Promise<boolean> {
    this.#stopped = true;
    this.#timer.stop();
    return this.#ending;
  }

  #look(): void {
    // It goes on when the proxy is opened.
    const { drain, relay, clock } = this.#proxy;
    if (drain.status.state !== "open") return;
    if (relay.suspended > 0) this.#nobodySince = clock.now();
    if (this.#left > 0) this.#lookAgain();
    else this.#ending = this.#tryToEnd();
  }

  #lookAgain(): void {
    if (!this.#stopped && this.#time !== null) this.#timer.start(Math.max(PAUSE, this.#left));
  }

  /** How much of the time is left if nobody comes, in milliseconds. */
  get #left(): number {
    const { relay, clock } = this.#proxy;
    return (this.#time ?? Infinity) - Math.min(relay.idleFor, clock.now() - this.#nobodySince);
  }

  /** Ends the proxy, unless somebody came just now. @returns whether it has ended */
  async #tryToEnd(): Promise<boolean> {
    const { relay, drain, log } = this.#proxy;
    try {
      const ended = await drain.stopIfUnused(() => {
        if (relay.active > 0 || relay.queued !== 0 || relay.suspended > 0) return false;
        // At once: whoever was accepted in between would be reset. In the queue of a socket that
        // was passed on they wait for the next proxy.
        this.#over.resolve(relay.shutDown());
        return true;
      });
      if (!ended) {
        this.#lookAgain();
        return false;
      }
      const message = `Stopped, because nobody was there for ${formatDuration(this.#time)}`;
      log.info(message, { event: "idle_exit" });
    } catch (error) {
      this.#over.reject(error);
    }
    return true;
  }
}
