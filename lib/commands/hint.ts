import type { DrainOutcome } from "../control/api.ts";
import { formatDuration } from "../duration.ts";

/** Less than that is no rest, in milliseconds. */
const SHORTEST_REST = 100;

/** For those who never rest. */
const BUSY =
  "For a service that keeps nothing per connection, as with HTTP/1.1, --suspend-quiet 200ms " +
  "lets even busy clients stay";

/**
 * What could have helped a drain that failed by its deadline, from what was seen of those who were in
 * the way.
 *
 * @returns a sentence; `null` if nothing was seen that would have
 */
export function hintFor({ active, blockers }: DrainOutcome): string | null {
  if (blockers.length === 0) return null;
  const rest = roundedDown(Math.min(...blockers.map(({ idleSeconds }) => idleSeconds)) * 1000);
  // What ties a connection to its service, a proxy of an earlier version does not tell.
  const canBeSuspended = blockers.every(({ tied }) => tied === null);
  if (rest < SHORTEST_REST) return canBeSuspended ? BUSY : null;
  const all = active > blockers.length
    ? `The ${blockers.length} oldest of ${active} were`
    : active === 1
    ? "It was"
    : active === 2
    ? "Both were"
    : `All ${active} were`;
  const [it, idle] = [active === 1 ? "it" : "them", formatDuration(rest)];
  const stay = canBeSuspended ? `--suspend-quiet ${idle} would have let ${it} stay, ` : "";
  return `${all} quiet for over ${idle}: ${stay}--close-idle ${idle} would have cut ${it}`;
}

/** A duration in milliseconds, down to its first digit, and to a whole unit. */
function roundedDown(duration: number): number {
  const unit = [3_600_000, 60_000, 10_000, 1000, 100].find((one) => duration >= one) ?? 1;
  return Math.floor(duration / unit) * unit;
}
