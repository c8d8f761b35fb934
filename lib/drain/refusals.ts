/** For how long a refused exclusive drain absorbs a resume, in milliseconds. */
export const ABSORB_WITHIN = 5 * 60_000;

/** One refused drain. Its time is the clock's monotonic one. */
export interface Refusal {
  readonly owner: string;
  readonly expires: number;
}

/**
 * The drains that one drain has refused. Who asked for them resumes afterwards as if they had been
 * granted (the wrapper's `unlock` follows a failed `lock`), and that must not end the one that
 * refused them: each absorbs one resume.
 */
export class Refusals {
  #all: Refusal[];

  constructor(all: readonly Refusal[] = []) {
    this.#all = [...all];
  }

  /** Those that still count, oldest first. */
  pending(now: number): readonly Refusal[] {
    return this.#all.filter(({ expires }) => now < expires);
  }

  /** Whether the next resume by this owner is absorbed. */
  has(owner: string | null, now: number): boolean {
    return this.pending(now).some((one) => one.owner === owner);
  }

  /** Remembers one more. */
  add(owner: string, now: number): void {
    this.#all = [...this.pending(now), { owner, expires: now + ABSORB_WITHIN }];
  }

  /** Uses one of this owner up. @returns whether there was one */
  take(owner: string, now: number): boolean {
    const pending = this.pending(now);
    const used = pending.find((one) => one.owner === owner);
    this.#all = pending.filter((one) => one !== used);
    return used !== undefined;
  }
}
