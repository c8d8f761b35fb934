import type { Clock } from "../clock.ts";
import type { DrainRequest } from "./request.ts";
import type { Outcome } from "./types.ts";

/** What is known of a waiter from its request or, of one that is to come back, from before. */
export interface WaiterOrigin extends Pick<DrainRequest, "wait" | "attached"> {
  readonly token?: string;
  /** How long it has waited so far, in milliseconds. */
  readonly waited?: number;
  /** Whether it is to say that the service lets its clients go. */
  readonly releases?: boolean;
  /** Whether the drain was there before; if it is not known, it was. */
  readonly joined?: boolean;
  /** What it should know of the drain that it has joined. */
  readonly notice?: string | null;
}

/** What a waiter tells its drain. */
export interface WaiterEvents {
  /** It went away before it was told. */
  left(waiter: Waiter): void;
  /** It has been told all that it waited for. */
  told(waiter: Waiter): void;
}

/** Somebody who waits for a drain. */
export class Waiter {
  /** Names it to the process that the drain moves to. Told to nobody else: it is a secret. */
  readonly token: string;
  /** Whether it stays to hear of the outcome. */
  readonly waits: boolean;
  /** Whether the drain ends when the waiter leaves. */
  readonly attached: boolean;
  /**
   * Whether it is still to say that the service lets its clients go: until then nothing is drained.
   */
  releases: boolean;
  /** Whether it has joined a drain that was there already. */
  readonly joined: boolean;
  /** What it should know of that drain; `null` if nothing. */
  readonly notice: string | null;
  /** Resolves when the drain is decided: drained, or failed in any way. Never rejects. */
  readonly settled: Promise<Outcome>;
  /** Resolves when the drain is over, by whatever cause. Never rejects. */
  readonly ended: Promise<Outcome>;
  readonly #settle: (outcome: Outcome) => void;
  readonly #end: (outcome: Outcome) => void;
  readonly #events: WaiterEvents;
  readonly #clock: Clock;
  readonly #since: number;
  #settledAs: Outcome | null = null;
  #endedAs: Outcome | null = null;

  constructor(origin: WaiterOrigin, clock: Clock, events: WaiterEvents) {
    this.token = origin.token ?? crypto.randomUUID();
    this.waits = origin.wait;
    this.attached = origin.attached;
    this.releases = origin.releases ?? false;
    this.joined = origin.joined ?? true;
    this.notice = origin.notice ?? null;
    const settled = Promise.withResolvers<Outcome>();
    const ended = Promise.withResolvers<Outcome>();
    this.settled = settled.promise;
    this.ended = ended.promise;
    this.#settle = settled.resolve;
    this.#end = ended.resolve;
    this.#events = events;
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

  /** Goes away before it was told: nobody is there any more who wants to know. */
  leave(): void {
    this.#events.left(this);
  }

  /** Has been told all that it waited for. From now on it need not be there. */
  told(): void {
    this.#events.told(this);
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
