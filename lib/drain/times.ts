/**
 * Times of the monotonic clock, which count while the process lives, and what they are by the wall
 * clock, for people and for the record. `null` is never.
 *
 * @module
 */

import type { Clock } from "../clock.ts";
import type { Duration } from "../duration.ts";

/** When a duration that starts now is over. */
export function endOf(duration: Duration, clock: Clock): number | null {
  return duration === null ? null : clock.now() + duration;
}

/** Whether a time has come. */
export function isPast(time: number | null, clock: Clock): boolean {
  return time !== null && clock.now() >= time;
}

/** A time by the wall clock, in milliseconds since the epoch. */
export function wallTime(time: number | null, clock: Clock): number | null {
  return time === null ? null : clock.wall() + (time - clock.now());
}

/** A time by the wall clock, in ISO 8601. */
export function isoTime(time: number | null, clock: Clock): string | null {
  const wall = wallTime(time, clock);
  return wall === null ? null : new Date(wall).toISOString();
}
