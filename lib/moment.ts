/**
 * Moments as people are told of them: how far away first, then what the clock shows.
 *
 * @module
 */

import { describeDuration } from "./duration.ts";

const DAY = 86_400_000;

/**
 * What the clock shows, in UTC: `01:05:37Z`; with the day if that is not today.
 *
 * @param at milliseconds since the epoch, as is `now`
 */
export function clockTime(at: number, now: number): string {
  const [day = "", time = ""] = new Date(at).toISOString().split("T");
  const clock = `${time.slice(0, 8)}Z`;
  return Math.floor(at / DAY) === Math.floor(now / DAY) ? clock : `${day} ${clock}`;
}

/** Since when: `for 4s (01:05:37Z)`. */
export function describeSince(at: number, now: number): string {
  return `for ${describeDuration(Math.max(0, now - at))} (${clockTime(at, now)})`;
}

/** How far away: `in 5m`, `5m ago`. */
export function describeAway(at: number, now: number): string {
  const left = at - now;
  return left >= 0 ? `in ${describeDuration(left)}` : `${describeDuration(-left)} ago`;
}

/** When: `in 5m (01:05:37Z)`, `5m ago (01:05:37Z)`. */
export function describeMoment(at: number, now: number): string {
  return `${describeAway(at, now)} (${clockTime(at, now)})`;
}
