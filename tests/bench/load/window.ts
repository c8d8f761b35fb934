import { now } from "../../../lib/linux/clock.ts";
import { cpuTime } from "../processes.ts";
import type { Measured } from "./protocol.ts";

/** How long the load runs before it counts, in milliseconds. */
const WARM_UP = 200;

/** The stretch of time that is measured, after another one to warm up. */
export class Window {
  /** Whether it counts. */
  isOpen = false;
  readonly #seconds: number;
  readonly #pid: number | null;
  readonly #warm = now() + WARM_UP;
  #opened = 0;
  #cpu = 0;
  #measured: Omit<Measured, "count"> | null = null;

  constructor({ seconds, pid }: { readonly seconds: number; readonly pid: number | null }) {
    this.#seconds = seconds;
    this.#pid = pid;
  }

  /** To be asked again and again: whether there is still time. */
  goesOn(): boolean {
    const time = now();
    if (this.isOpen) {
      const seconds = (time - this.#opened) / 1000;
      if (seconds < this.#seconds) return true;
      this.#measured = { seconds, cpu: this.#cpuTime() - this.#cpu };
      this.isOpen = false;
      return false;
    }
    if (time >= this.#warm) {
      this.#cpu = this.#cpuTime();
      this.#opened = now();
      this.isOpen = true;
    }
    return true;
  }

  /**
   * What came of it.
   *
   * @throws when nothing was done
   */
  measured(count: number): Measured {
    if (this.#measured === null || count === 0) throw new Error("Nothing was done in all the time");
    return { ...this.#measured, count };
  }

  #cpuTime(): number {
    return this.#pid === null ? 0 : cpuTime(this.#pid);
  }
}
