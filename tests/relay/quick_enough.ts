import { pause } from "./waiting.ts";

/** The shortest silence that counts as quiet, in milliseconds; on a busy machine it is a longer one. */
const SHORTEST = 80;
const LONGEST = 64 * SHORTEST;

/** Somebody made a longer pause than was meant. */
class TooSlow extends Error {}

/** Whose pauses must be shorter than what counts as quiet. */
export class Talker {
  #spokeAt = performance.now();
  readonly #wasTooSlow = Promise.withResolvers<never>();
  #longest = 0;

  /** @param quiet what counts as quiet, in milliseconds */
  constructor(readonly quiet: number) {
    // Not everybody waits for it.
    this.#wasTooSlow.promise.catch(() => {});
  }

  /** It begins to speak: how long it was silent before does not matter. */
  begins(): void {
    this.#spokeAt = performance.now();
  }

  /** It speaks now. @throws if it was silent for too long */
  speaks(): void {
    this.notes();
    if (this.isTooSlow) throw new TooSlow(`A pause of ${this.#longest} ms`);
  }

  /** As {@linkcode speaks}, but {@linkcode isTooSlow} says whether it was. */
  notes(): void {
    const now = performance.now();
    this.#longest = Math.max(this.#longest, now - this.#spokeAt);
    this.#spokeAt = now;
  }

  /** Somebody paused for so many milliseconds. */
  paused(milliseconds: number): void {
    this.#longest = Math.max(this.#longest, milliseconds);
    if (this.isTooSlow) this.#wasTooSlow.reject(new TooSlow(`A pause of ${this.#longest} ms`));
  }

  /** Rejects once somebody {@linkcode paused} for too long. */
  get wasTooSlow(): Promise<never> {
    return this.#wasTooSlow.promise;
  }

  /** Whether one of its pauses was so long that it may count as quiet. */
  get isTooSlow(): boolean {
    return this.#longest > this.quiet / 2;
  }

  /** Pauses, but not for so long that it counts as quiet, and is about to speak. */
  async pauses(): Promise<void> {
    await pause(this.quiet / 5);
    this.speaks();
  }
}

/**
 * Does what only comes out as it should if somebody's pauses are shorter than what counts as quiet;
 * where one was not, it is done again with more time.
 *
 * @param scene gets that silence in milliseconds, and whoever must not pause for so long
 */
export async function quickEnough(
  scene: (quiet: number, talker: Talker) => Promise<void>,
): Promise<void> {
  for (let quiet = SHORTEST;; quiet *= 4) {
    const talker = new Talker(quiet);
    try {
      return await scene(quiet, talker);
    } catch (error) {
      if (!talker.isTooSlow || quiet >= LONGEST) throw error;
    }
  }
}
