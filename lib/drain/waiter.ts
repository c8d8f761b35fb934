import type { Clock } from "../clock.ts";
import type { DrainRequest, Outcome } from "./types.ts";

/** What is known of a waiter from its request or, of one that is to come back, from before. */
export interface WaiterOrigin extends Pick<DrainRequest, "wait" | "attached"> {
  readonly token?: string;
  /** How long it has waited so far, in milliseconds. */
  readonly waited?: number;
}

/** Somebody who waits for a drain. */
export class Waiter {
  /** Names it to the process that the drain moves to. Told to nobody else: it is a secret. */
  readonly token: string;
  /** Whether it stays to hear of the outcome. */
  readonly waits: boolean;
  /** Whether the drain ends when the waiter leaves. */
  readonly attached: boolean;
  /** Resolves when the drain is decided: drained, or failed in any way. Never rejects. */
  readonly settled: Promise<Outcome>;
  /** Resolves when the drain is over, by whatever cause. Never rejects. */
  readonly ended: Promise<Outcome>;
  readonly #settle: (outcome: Outcome) => void;
  readonly #end: (outcome: Outcome) => void;
  readonly #leave: (waiter: Waiter) => void;
  readonly #clock: Clock;
  readonly #since: number;
  #settledAs: Outcome | null = null;
  #endedAs: Outcome | null = null;

  /** @param leave is told when the waiter goes away */
  constructor(origin: WaiterOrigin, clock: Clock, leave: (waiter: Waiter) => void) {
    this.token = origin.token ?? crypto.randomUUID();
    this.waits = origin.wait;
    this.attached = origin.attached;
    const settled = Promise.withResolvers<Outcome>();
    const ended = Promise.withResolvers<Outcome>();
    this.settled = settled.promise;
    this.ended = ended.promise;
    this.#settle = settled.resolve;
    this.#end = ended.resolve;
    this.#leave = leave;
    this.#clock = clock;
    this.#since = clock.now() - (origin.waited ?? 0);
  }

  /** How long it has waited so far, in milliseconds. */
  get waited(): number {
    return this.#clock.now() - this.#since;
  }

  /** What {@linkcode settled} resolved to; `null` before. */
  get settledAs(): Outcome | null {
    return this.#settledAs;
  }

  /** What {@linkcode ended} resolved to; `null` before. */
  get endedAs(): Outcome | null {
    return this.#endedAs;
  }

  /** Goes away: nobody is there any more who wants to know. */
  leave(): void {
    this.#leave(this);
  }

  /** For the drain: it is decided. */
  settle(outcome: Outcome): void {
    this.#settledAs ??= outcome;
    this.#settle(outcome);
  }

  /** For the drain: it is over. */
  end(outcome: Outcome): void {
    this.settle(outcome);
    this.#endedAs ??= outcome;
    this.#end(outcome);
  }
}
