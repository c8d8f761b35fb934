import type { Duration } from "./duration.ts";

/**
 * How often the event loop turns, once the time is up, before it counts. The kernel's queue is only
 * looked at between timers: a timer of `0s` alone would fire before a connection that has been
 * waiting since before the start is seen.
 */
const TURNS = 3;

/** Tells when nothing has happened for long enough. */
export class IdleTimer {
  #timer: ReturnType<typeof setTimeout> | undefined;

  /**
   * @param duration how long that is; `null` for never
   * @param passed is called when it was so; always from a timer, never amid the acceptance of
   * connections
   */
  constructor(readonly duration: Duration, readonly passed: () => void) {}

  /**
   * Nothing is open: counts from now.
   *
   * @param left how much of the duration is left, in milliseconds; all of it if nothing is said
   */
  start(left: Duration = this.duration): void {
    this.stop();
    if (left !== null) this.#wait(left, TURNS);
  }

  /** Something is open. */
  stop(): void {
    clearTimeout(this.#timer);
  }

  #wait(delay: number, turns: number): void {
    this.#timer = setTimeout(
      () => turns === 0 ? this.passed() : this.#wait(1, turns - 1),
      delay,
    );
  }
}
