/** How long anything may take, in milliseconds. */
const PATIENCE = 15_000;

/**
 * Looks again and again until what is seen is as it should be.
 *
 * @throws with what was seen last, when it takes too long
 */
export async function until<T>(
  look: () => Promise<T> | T,
  condition: (seen: T) => boolean,
): Promise<T> {
  const deadline = performance.now() + PATIENCE;
  for (;;) {
    const seen = await look();
    if (condition(seen)) return seen;
    if (performance.now() > deadline) {
      throw new Error(`Not within ${PATIENCE} ms: ${condition}, but ${JSON.stringify(seen)}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
