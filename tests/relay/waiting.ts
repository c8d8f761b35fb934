import { PATIENCE } from "../support/patience.ts";

/**
 * Waits for a promise, but not for ever.
 *
 * @throws when it takes too long, naming what did not come
 */
export async function within<T>(promise: Promise<T>, what: string): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`No sign of ${what} for ${PATIENCE} ms`)), PATIENCE);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/**
 * Waits until a condition holds.
 *
 * @throws when it takes too long
 */
export async function eventually(condition: () => boolean, what = `${condition}`): Promise<void> {
  const deadline = performance.now() + PATIENCE;
  for (let rest = 2; !condition(); rest = Math.min(1.2 * rest, 20)) {
    if (performance.now() > deadline) throw new Error(`Not within ${PATIENCE} ms: ${what}`);
    await pause(rest);
  }
}

/** Lets time pass: for what must *not* happen, and to let a difference in time show. */
export function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

/**
 * Waits until a number has not changed for a while, and returns it.
 *
 * @throws when it takes too long
 */
export async function steady(value: () => number, milliseconds: number): Promise<number> {
  const deadline = performance.now() + PATIENCE;
  for (let before = NaN;;) {
    const now = value();
    if (now === before) return now;
    if (performance.now() > deadline) {
      throw new Error(`Not within ${PATIENCE} ms: ${value} comes to rest, but it is ${now}`);
    }
    before = now;
    await pause(milliseconds);
  }
}
