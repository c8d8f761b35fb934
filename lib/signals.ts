import process from "node:process";

/**
 * Listens for SIGTERM and SIGINT from now on.
 *
 * To be called first: what the runtime needs to listen for signals cannot be had any more once a
 * process has run out of descriptors.
 *
 * @returns a function whose n-th call resolves at the n-th signal
 */
export function stopSignals(): () => Promise<void> {
  const arrived: PromiseWithResolvers<void>[] = [];
  const at = (index: number) => arrived[index] ??= Promise.withResolvers<void>();
  let signals = 0;
  let asked = 0;
  const next = () => at(signals++).resolve();
  process.on("SIGTERM", next);
  process.on("SIGINT", next);
  return () => at(asked++).promise;
}
