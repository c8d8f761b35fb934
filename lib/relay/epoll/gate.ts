import { now } from "../../linux/clock.ts";
import type { LettingGo, Released } from "../relay.ts";
import type { Crew } from "./crew.ts";
import type { Listeners } from "./listeners.ts";
import { queuedSince } from "./overview.ts";
import { CONTROL, HOLDING, OPEN, SERVING_HELD, type SharedMemory } from "./shared.ts";

/** Has the threads of a relay hold all who come, and let them in again. */
export class Gate {
  readonly #shared: SharedMemory;
  readonly #crew: Crew;
  readonly #listeners: Listeners;

  constructor(shared: SharedMemory, crew: Crew, listeners: Listeners) {
    this.#shared = shared;
    this.#crew = crew;
    this.#listeners = listeners;
  }

  /** Holds all who come, and lets go what need not be waited for; also while it holds already. */
  async hold(lettingGo: LettingGo): Promise<void> {
    this.#shared.lettingGo = lettingGo;
    if (this.#mode !== HOLDING) await this.close();
    else await this.#crew.command(HOLDING);
  }

  /** Holds all who come, with what was let go before. */
  async close(): Promise<void> {
    const { control } = this.#shared;
    Atomics.store(control, CONTROL.takes, 0);
    await this.#crew.command(HOLDING);
    // From now on nobody accepts anybody as one who is not held.
    this.#shared.forgetReleased();
    Atomics.store(control, CONTROL.takes, 1);
    this.#crew.wake();
  }

  /** Lets all in who wait, and who come later. */
  async open(): Promise<Released> {
    if (this.#mode === OPEN) return { held: 0, longest: 0 };
    const { control } = this.#shared;
    Atomics.store(control, CONTROL.takes, 0);
    const length = this.#listeners.queued;
    const here = Atomics.load(control, CONTROL.waiting);
    const suspended = Atomics.load(control, CONTROL.suspended);
    // Of the last it may not have been noted yet that they came.
    this.#shared.noteArrivals(length, now());
    const first = this.#firstOf(length);
    this.#shared.release(length);
    // Those of one thread come before the newcomers of another, too.
    const { tables } = this.#crew;
    if (here + suspended > 0 && tables.length > 1) await this.#crew.command(SERVING_HELD);
    await this.#crew.command(OPEN);
    return { held: length + here, longest: Math.max(0, now() - first) };
  }

  /** For how many milliseconds the one has been held that waits the longest; 0 if nobody is. */
  get longestHold(): number {
    // Who is in the kernel's queue while it does not hold is about to be accepted.
    const length = this.#mode === HOLDING ? this.#listeners.queued : 0;
    return Math.max(0, now() - this.#firstOf(length));
  }

  /** When the first one came of those who are held, so many of them in the queue; never, if none is. */
  #firstOf(length: number): number {
    const inQueue = length > 0 ? this.#shared.firstArrival ?? Infinity : Infinity;
    // Mostly nobody is held here: then not one of thousands of connections is looked at.
    if (Atomics.load(this.#shared.control, CONTROL.waiting) === 0) return inQueue;
    return Math.min(inQueue, queuedSince(this.#crew.tables));
  }

  get #mode(): number {
    return Atomics.load(this.#shared.control, CONTROL.mode);
  }
}
