import { quantile } from "../statistics.ts";
import type { RoundTrips } from "./protocol.ts";

/** Gathers how long answers took. */
export class Trips {
  count = 0;
  #times = new Float64Array(65_536);

  /** @param time in milliseconds */
  add(time: number): void {
    if (this.count === this.#times.length) {
      const longer = new Float64Array(2 * this.count);
      longer.set(this.#times);
      this.#times = longer;
    }
    this.#times[this.count++] = time;
  }

  /** What came of it, in microseconds. */
  get quantiles(): RoundTrips {
    const times = this.#times.subarray(0, this.count);
    return { p50: 1000 * quantile(times, 0.5), p99: 1000 * quantile(times, 0.99) };
  }
}
