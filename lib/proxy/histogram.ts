/** Counts values by how large they are, as a Prometheus histogram does. */
export class Histogram {
  /** How many values were at most as large as the bound of the same place, and no smaller bound. */
  readonly counts: number[];
  count = 0;
  sum = 0;

  /** @param bounds the largest value of each bucket, the smallest first */
  constructor(readonly bounds: readonly number[]) {
    this.counts = bounds.map(() => 0);
  }

  /** Counts a value. */
  observe(value: number): void {
    const bucket = this.bounds.findIndex((bound) => value <= bound);
    if (bucket !== -1) this.counts[bucket] = this.counts[bucket] as number + 1;
    this.count++;
    this.sum += value;
  }
}
