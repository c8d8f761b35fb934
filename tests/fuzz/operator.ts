import type { RelayInProcess } from "../relay/relay_in_process.ts";
import { pause } from "../relay/waiting.ts";
import type { Random } from "../storm/random.ts";

/** How long the operator rests, and how long a hold takes, in milliseconds. */
const REST = [5, 120] as const;
const HOLD = [5, 200] as const;

/** How many connections are killed at once, at the most. */
const MOST_KILLED = 3;

/** Holds and opens a relay, and kills connections, now and then. */
export class Operator {
  /** Since when the relay has been holding, by `performance.now()`; `null` while it may serve. */
  holdingSince: number | null = null;
  holds = 0;
  kills = 0;
  /** How many clients waited as holds began, in all. */
  held = 0;
  /** The ports of those clients whose connections were killed. */
  readonly killed = new Set<number>();
  #ending = false;

  constructor(private readonly relay: RelayInProcess, private readonly random: Random) {}

  /** Works until it is told to {@linkcode finish}; then the relay is open. */
  async work(): Promise<void> {
    while (!this.#ending) {
      await pause(this.random.between(...REST));
      await (this.random.oneIn(2) ? this.#hold() : this.#kill());
    }
  }

  /** Lets {@linkcode work} come to its end. */
  finish(): void {
    this.#ending = true;
  }

  async #hold(): Promise<void> {
    const { queued } = await this.relay.ask("hold");
    this.held += queued ?? 0;
    this.holdingSince = performance.now();
    this.holds++;
    await pause(this.random.between(...HOLD));
    if (this.random.oneIn(4)) await this.#kill();
    this.holdingSince = null;
    await this.relay.ask("open");
  }

  async #kill(): Promise<void> {
    for (let count = this.random.between(1, MOST_KILLED); count > 0; count--) {
      const { killed } = await this.relay.ask(`kill ${this.random.between(0, 1000)}`);
      if (killed === null) continue;
      this.kills++;
      this.killed.add(Number(killed.slice(killed.lastIndexOf(":") + 1)));
    }
  }
}
