import { now } from "../../linux/clock.ts";
import { Hindsight } from "./hindsight.ts";

/** A turn that takes longer than this, in milliseconds, was interrupted by a standstill. */
const LONGEST = 100;

/** The turn of its loop that a thread is in. */
export class Turn {
  /** When its events were taken, on the clock. */
  time = now();
  number = 1;
  readonly hindsight = new Hindsight();
  /** When connections were last not looked after for a while, here or in another process. */
  #thawedAt = -Infinity;

  /** Connections are looked after again from now on. */
  thawed(): void {
    this.#thawedAt = this.time;
  }

  /** Whether what is found now may have come while nobody looked: how long before that, who knows. */
  get isCatchingUp(): boolean {
    return this.asOf < this.#thawedAt;
  }

  /** Whether the process has stood still in this turn. @param now the time by now */
  stoodStill(now: number): boolean {
    return now - this.time > LONGEST;
  }

  /** A time before this turn: of what came until then, everything has been handled. */
  get asOf(): number {
    return this.hindsight.asOf;
  }
}
