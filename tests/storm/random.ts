/** A source of random choices that are the same for the same seed. */
export class Random {
  #state: number;

  /** @param seed any whole number */
  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** A number from 0 up to, but not including, 1. */
  next(): number {
    // Mulberry32 by Tommy Ettinger, in the public domain.
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let bits = this.#state;
    bits = Math.imul(bits ^ bits >>> 15, bits | 1);
    bits ^= bits + Math.imul(bits ^ bits >>> 7, bits | 61);
    return ((bits ^ bits >>> 14) >>> 0) / 2 ** 32;
  }

  /** A whole number from the lowest to the highest, both possible. */
  between(lowest: number, highest: number): number {
    return lowest + Math.floor(this.next() * (highest - lowest + 1));
  }

  /** Whether something happens that does so in one of so many cases. */
  oneIn(cases: number): boolean {
    return this.next() * cases < 1;
  }

  /** A source of its own for somebody else. */
  fork(): Random {
    return new Random(this.between(0, 2 ** 32 - 1));
  }
}
