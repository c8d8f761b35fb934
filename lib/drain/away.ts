import type { Clock } from "../clock.ts";
import { isPast } from "./times.ts";
import type { Waiter } from "./waiter.ts";

/** How long the waiters of a drain that moved have to come back, in milliseconds. */
export const COME_BACK_WITHIN = 10_000;

/** The waiters of a drain that was taken over, until they come back. */
export class Away {
  readonly #waiters: Map<string, Waiter>;
  readonly #until: number;

  /** From now on they have {@linkcode COME_BACK_WITHIN}. */
  constructor(waiters: readonly Waiter[], private readonly clock: Clock) {
    this.#waiters = new Map(waiters.map((waiter) => [waiter.token, waiter]));
    this.#until = clock.now() + COME_BACK_WITHIN;
  }

  /** Those who have not come back. */
  get all(): Waiter[] {
    return [...this.#waiters.values()];
  }

  /** Milliseconds until their time is over; `null` if there is nobody to wait for. */
  get left(): number | null {
    return this.#waiters.size === 0 ? null : Math.max(1, Math.ceil(this.#until - this.clock.now()));
  }

  /** One comes back. @returns `undefined` if it is not one of those who are waited for */
  take(token: string): Waiter | undefined {
    const waiter = this.#waiters.get(token);
    this.#waiters.delete(token);
    return waiter;
  }

  /** Gives those up whose time is over. */
  takeOverdue(): Waiter[] {
    const overdue = isPast(this.#until, this.clock) ? this.all : [];
    for (const { token } of overdue) this.#waiters.delete(token);
    return overdue;
  }
}
