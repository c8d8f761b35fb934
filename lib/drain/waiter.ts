import type { DrainRequest, Outcome } from "./types.ts";

/** Somebody who waits for a drain. */
export class Waiter {
  /** Whether the drain ends when the waiter leaves. */
  readonly attached: boolean;
  /** Resolves when the drain is decided: drained, or failed in any way. Never rejects. */
  readonly settled: Promise<Outcome>;
  /** Resolves when the drain is over, by whatever cause. Never rejects. */
  readonly ended: Promise<Outcome>;
  readonly #settle: (outcome: Outcome) => void;
  readonly #end: (outcome: Outcome) => void;
  readonly #leave: (waiter: Waiter) => void;

  /** @param leave is told when the waiter goes away */
  constructor(request: Pick<DrainRequest, "attached">, leave: (waiter: Waiter) => void) {
    this.attached = request.attached;
    const settled = Promise.withResolvers<Outcome>();
    const ended = Promise.withResolvers<Outcome>();
    this.settled = settled.promise;
    this.ended = ended.promise;
    this.#settle = settled.resolve;
    this.#end = ended.resolve;
    this.#leave = leave;
  }

  /** Goes away: nobody is there any more who wants to know. */
  leave(): void {
    this.#leave(this);
  }

  /** For the drain: it is decided. */
  settle(outcome: Outcome): void {
    this.#settle(outcome);
  }

  /** For the drain: it is over. */
  end(outcome: Outcome): void {
    this.#settle(outcome);
    this.#end(outcome);
  }
}
