import { Failure } from "../../lib/failure.ts";

/** The signals that end a program from outside, with their numbers. */
const SIGNALS = { SIGHUP: 1, SIGINT: 2, SIGTERM: 15 } as const;

/**
 * Rejects at the first signal that asks this process to end, with the exit code that shells give
 * to such an end. Listens for ever: a second Ctrl-C must not break off the cleaning up.
 */
export function interruption(): Promise<never> {
  const { promise, reject } = Promise.withResolvers<never>();
  for (const [signal, number] of Object.entries(SIGNALS)) {
    Deno.addSignalListener(
      signal as Deno.Signal,
      () => reject(new Failure("Interrupted", 128 + number)),
    );
  }
  // It may come before anybody waits for it.
  promise.catch(() => {});
  return promise;
}
