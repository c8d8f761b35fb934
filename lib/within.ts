/**
 * What a promise gives, or, if it takes longer, what happens then. Whatever it was waiting for goes
 * on; what comes of that is not heard any more.
 *
 * Not for a promise that stays, once for each piece of something: it remembers all who wait for it.
 *
 * @param limit how long it may take, in milliseconds; `null` for as long as it takes
 * @param late gives the result instead, or throws; `undefined` if it is not given
 */
export async function within<T, Late = undefined>(
  promise: PromiseLike<T>,
  limit: number | null,
  late?: () => Late,
): Promise<T | Late> {
  if (limit === null) return await promise;
  const { promise: over, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, limit);
  try {
    return await Promise.race([promise, over.then(() => late?.() as Late)]);
  } finally {
    clearTimeout(timer);
  }
}
