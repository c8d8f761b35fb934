import { PATIENCE } from "./patience.ts";

/** How soon it is looked again, and how much later each time up to the last, in milliseconds. */
const SOONEST = 5;
const LATER = 1.2;
const LATEST = 50;

/**
 * Looks again and again, less and less often, until what is seen is as it should be: to look may be much
 * work, of a process that has other things to do.
 *
 * @throws with what was seen last, when it takes too long
 */
export async function until<T>(
  look: () => Promise<T> | T,
  condition: (seen: T) => boolean,
): Promise<T> {
  const deadline = performance.now() + PATIENCE;
  for (let rest = SOONEST;; rest = Math.min(LATER * rest, LATEST)) {
    const seen = await look();
    if (condition(seen)) return seen;
    if (performance.now() > deadline) {
      throw new Error(`Not within ${PATIENCE} ms: ${condition}, but ${JSON.stringify(seen)}`);
    }
    await new Promise((resolve) => setTimeout(resolve, rest));
  }
}
