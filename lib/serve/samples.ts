import type { Status } from "../control/api.ts";

/** For how long samples are kept: 15 minutes of one a second. */
const MOST = 900;

/** After how much time without one a plot has a gap, in milliseconds. */
const GAP = 5000;

/** Of less time than this a rate says nothing, in milliseconds. */
const LEAST = 300;

/** What is plotted, at one time. Nothing is `null` but where nobody looked, or nobody answered. */
export interface Sample {
  /** Counts from 1. */
  readonly number: number;
  /** Seconds since the epoch. */
  readonly at: number;
  readonly active: number | null;
  readonly queued: number | null;
  readonly suspended: number | null;
  /** Bytes a second, to the service and from it. */
  readonly up: number | null;
  readonly down: number | null;
  /** Connections a second. */
  readonly accepted: number | null;
}

/** The totals that rates are made of. */
type Totals = Pick<Status, "accepted" | "bytesUp" | "bytesDown">;

/** The last minutes of a proxy, as far as somebody looked. */
export class Samples {
  readonly #all: Sample[] = [];
  #number = 0;
  #before: { readonly at: number; readonly totals: Totals } | null = null;

  /** Those after one of them, the oldest first. */
  after(number: number): readonly Sample[] {
    return this.#all.filter((one) => one.number > number);
  }

  /** The last one; `null` if there is none. */
  get last(): Sample | null {
    return this.#all.at(-1) ?? null;
  }

  /** Adds how it is, unless that was done just now. @param now milliseconds since the epoch */
  add(status: Status, now: number): void {
    const before = this.#before;
    const elapsed = before === null ? Infinity : now - before.at;
    if (elapsed >= 0 && elapsed < LEAST) return;
    if (elapsed > GAP && before !== null) this.addGap(before.at + 1);
    const rate = (of: (totals: Totals) => number) => {
      if (before === null || elapsed > GAP || elapsed <= 0) return null;
      // Of another process that counts anew nothing is known yet.
      const more = of(status) - of(before.totals);
      return more < 0 ? null : Math.round(more * 1000 / elapsed);
    };
    this.#push({
      at: now / 1000,
      active: status.active,
      queued: status.queued,
      suspended: status.suspended,
      up: rate(({ bytesUp }) => bytesUp),
      down: rate(({ bytesDown }) => bytesDown),
      accepted: rate(({ accepted }) => accepted),
    });
    const { accepted, bytesUp, bytesDown } = status;
    this.#before = { at: now, totals: { accepted, bytesUp, bytesDown } };
  }

  /** Adds that nothing is known of a time. */
  addGap(now: number): void {
    const { last } = this;
    this.#before = null;
    if (last === null || last.active === null) return;
    const nothing = { active: null, queued: null, suspended: null };
    this.#push({ at: now / 1000, ...nothing, up: null, down: null, accepted: null });
  }

  #push(sample: Omit<Sample, "number">): void {
    this.#all.push({ number: ++this.#number, ...sample });
    if (this.#all.length > MOST) this.#all.shift();
  }
}
