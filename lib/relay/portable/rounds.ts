import type { RelayOptions } from "../relay.ts";
import type { PortableConnection } from "./connection.ts";

/** How often the connections are looked after, in milliseconds. */
const ROUND = 1000;

/** How often there is a round though there is no connection, in milliseconds. */
const IDLE_ROUND = 10_000;

/** What is looked after. */
export interface LookedAfter {
  readonly active: () => Iterable<PortableConnection>;
  readonly held: () => Iterable<PortableConnection>;
  /** Reads whatever has come by now. */
  readonly catchUp: () => Promise<void>;
  /** Is called at the end of each round. */
  readonly done: () => void;
}

/** Looks after connections now and then: who is gone, and whose time is over. */
export class Rounds {
  readonly #all: LookedAfter;
  readonly #length: number;
  #next: ReturnType<typeof setTimeout> | undefined;

  constructor({ idleTimeout, halfCloseTimeout }: RelayOptions, all: LookedAfter) {
    this.#all = all;
    // Several times in the shortest of the timeouts, so that none is exceeded by much.
    const shortest = Math.min(idleTimeout ?? Infinity, halfCloseTimeout ?? Infinity);
    this.#length = Math.min(ROUND, 10 + shortest / 8);
  }

  /** Nothing to look after, next to nothing to do: an idle relay is quiet. */
  plan(hasConnections: boolean): void {
    this.stop();
    const delay = hasConnections ? this.#length : IDLE_ROUND;
    this.#next = setTimeout(() => void this.#lookAfter(), delay);
  }

  /** There is nothing to look after any more. */
  stop(): void {
    clearTimeout(this.#next);
  }

  async #lookAfter(): Promise<void> {
    const now = performance.now();
    for (const connection of this.#all.held()) connection.check();
    const overdue: PortableConnection[] = [];
    for (const connection of this.#all.active()) {
      connection.check();
      if (connection.overdue(now) !== null) overdue.push(connection);
    }
    if (overdue.length > 0) await this.#all.catchUp();
    for (const connection of overdue) {
      const reason = connection.overdue(now);
      if (reason !== null) connection.cut(reason);
    }
    this.#all.done();
  }
}
