import { now } from "../../../lib/linux/clock.ts";
import { cpuTime, systemTime } from "../processes.ts";
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
  #system = 0;
  #measured: Omit<Measured, "count" | "total"> | null = null;

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
      const { cpu, system } = this.#times();
      this.#measured = { seconds, cpu: cpu - this.#cpu, system: system - this.#system };
      this.isOpen = false;
      return false;
    }
    if (time >= this.#warm) {
      ({ cpu: this.#cpu, system: this.#system } = this.#times());
      this.#opened = now();
      this.isOpen = true;
    }
    return true;
  }

  /**
   * What came of it.
   *
   * @param count how much was done while it was open
   * @param total and before and after that as well, if that is known
   *
   * @throws when nothing was done
   */
  measured(count: number, total = count): Measured {
    if (this.#measured === null || count === 0) throw new Error("Nothing was done in all the time");
    return { ...this.#measured, count, total };
  }

  #times(): { cpu: number; system: number } {
    if (this.#pid === null) return { cpu: 0, system: 0 };
    return { cpu: cpuTime(this.#pid), system: systemTime(this.#pid) };
  }
}
