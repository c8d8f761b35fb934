import type { Clock } from "../clock.ts";
import type { Current } from "./current.ts";
import { isPast } from "./times.ts";

/**
 * How often to look for those that have become idle, or whether those that were cut are gone, in
 * milliseconds.
 */
const LOOK_AGAIN = 1000;

/** How long not to look at least, in milliseconds, however soon they are called idle. */
const LEAST_PAUSE = 10;

/** Timers of more than 24 days fire at once; to look once an hour costs nothing. */
const LONGEST_TIMER = 60 * 60_000;

/**
 * When a drain must be looked at again, unless something happens to it before.
 *
 * @returns milliseconds; `null` if time alone changes nothing
 */
export function untilDue(current: Current, clock: Clock): number | null {
  let delay = Infinity;
  const end = current.state === "drained" ? current.leaseEnds : current.deadline;
  // What is past is due at once, unless it only waits for those that were cut to be gone.
  const overdue = current.state === "draining" && current.closeRemaining ? LOOK_AGAIN : 0;
  if (end !== null) delay = isPast(end, clock) ? overdue : end - clock.now();
  if (current.state === "draining" && current.closeIdle !== null) {
    // Thousands that get idle one by one must not mean to look at all of them for each.
    delay = Math.min(delay, LOOK_AGAIN, Math.max(LEAST_PAUSE, current.closeIdle / 10));
  }
  if (delay === Infinity) return null;
  return Math.max(1, Math.min(LONGEST_TIMER, Math.ceil(delay)));
}
