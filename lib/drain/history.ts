/**
 * The drains that were, so that somebody who comes later learns what became of them.
 *
 * @module
 */

import type { Clock } from "../clock.ts";
import type { Connection, Released } from "../relay/relay.ts";
import type { Current } from "./current.ts";
import { type InTheWay, named, type PastDrain, seconds } from "./past_drain.ts";
import { type DrainStatus, MOST_BLOCKERS, type Outcome } from "./types.ts";

/** How many drains are remembered. */
export const MOST_REMEMBERED = 100;

/** Keeps the history somewhere. Nothing waits for it, and it does not throw. */
export interface HistoryStore {
  /** Keeps all of it, instead of what was kept. */
  write(all: readonly PastDrain[]): void;
  /** Keeps nothing any more: it is another process's. */
  leave(): void;
}

/** What is known of a drain of an earlier process. */
type Known = Pick<DrainStatus, "owner" | "reason"> & { readonly since: number };

/** The last drains, of this process and of those before. */
export class History {
  #all: readonly PastDrain[];
  readonly #clock: Clock;
  readonly #store: HistoryStore | null;

  /** @param all the oldest first */
  constructor(clock: Clock, all: readonly PastDrain[] = [], store: HistoryStore | null = null) {
    this.#clock = clock;
    this.#all = all.slice(-MOST_REMEMBERED);
    this.#store = store;
  }

  /** All that are remembered, the oldest first. */
  get all(): readonly PastDrain[] {
    return this.#all;
  }

  /** The last one; `null` if none is known. */
  get last(): PastDrain | null {
    return this.#all.at(-1) ?? null;
  }

  /** Remembers that a drain is decided. */
  decided(current: Known & Partial<Pick<Current, "cutNames">>, outcome: Outcome): void {
    this.#set({
      outcome: outcome.outcome,
      owner: current.owner,
      reason: current.reason,
      since: this.#iso(current.since),
      tookSeconds: seconds(outcome.waited),
      active: outcome.active,
      blockers: outcome.blockers.map(named),
      cut: outcome.cut,
      cutConnections: current.cutNames ?? [],
      endedBy: null,
      endedAt: null,
      held: null,
      longestHoldSeconds: null,
    });
  }

  /** Remembers that a drain is over. @param released `null` if nobody knows whom it held */
  ended(
    { since }: Pick<Current, "since">,
    endedBy: NonNullable<PastDrain["endedBy"]>,
    released: Released | null,
  ): void {
    const { last } = this;
    if (last === null || !this.#isOf(last, since)) return;
    this.#set({
      ...last,
      endedBy,
      endedAt: this.#iso(this.#clock.wall()),
      held: released?.held ?? null,
      longestHoldSeconds: released === null ? null : seconds(released.longest),
    });
  }

  /**
   * Remembers a drain of an earlier process that nobody goes on with.
   *
   * @param expired whether its time is over; if not, those who waited for it are gone
   */
  abandoned(known: Known, expired: boolean): void {
    if (this.last === null || !this.#isOf(this.last, known.since)) {
      const waited = Math.max(0, this.#clock.wall() - known.since);
      const nobody = { message: "", cut: 0, active: 0, blockers: [] };
      this.decided(known, { outcome: "stopped", waited, ...nobody });
    }
    this.ended(known, expired ? "lease" : "stopped", null);
  }

  /** Goes on with what another process remembered. */
  moveIn(all: readonly PastDrain[]): void {
    this.#all = all.slice(-MOST_REMEMBERED);
    this.#store?.write(this.#all);
  }

  /** Another process goes on with it. */
  moveOut(): void {
    this.#store?.leave();
  }

  /** Adds one, or says more of the last. */
  #set(one: PastDrain): void {
    const { last } = this;
    const others = last?.since === one.since && last.endedBy === null
      ? this.#all.slice(0, -1)
      : this.#all;
    this.#all = [...others, one].slice(-MOST_REMEMBERED);
    this.#store?.write(this.#all);
  }

  #isOf(past: PastDrain, since: number): boolean {
    return past.since === this.#iso(since) && past.endedBy === null;
  }

  #iso(wall: number): string {
    return new Date(wall).toISOString();
  }
}

/** Adds connections to those that are named, as long as there is room. */
export function nameMore(names: InTheWay[], connections: readonly Connection[]): void {
  const room = Math.max(0, MOST_BLOCKERS - names.length);
  names.push(...connections.slice(0, room).map(named));
}
