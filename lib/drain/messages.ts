/**
 * What people are told of a drain.
 *
 * @module
 */

import type { Clock } from "../clock.ts";
import { describeDuration } from "../duration.ts";
import { describeSince } from "../moment.ts";
import type { Released } from "../relay/relay.ts";
import { shellWord } from "../shell_word.ts";
import { COME_BACK_WITHIN } from "./away.ts";
import type { Current } from "./current.ts";
import { type EndCause, MOST_WAITERS } from "./types.ts";

/** Who holds the proxy, why, since when, until when, and the command that ends that. */
export function heldBy(current: Current, clock: Clock): string {
  const { owner, reason, state } = current;
  const what = state === "drained" ? "drained" : "being drained";
  const because = reason === null ? "" : ` (${reason})`;
  const since = describeSince(current.since, clock.wall());
  const until = state === "drained"
    ? ends("lease", current.leaseEnds, clock)
    : ends("deadline", current.deadline, clock);
  return `The proxy is ${what} by ${quoted(owner)}${because} ${since}, ${until}; ` +
    `to end that: ${endCommand(current, clock)}`;
}

/** The same, for its owner, when one of the two drains is exclusive. */
export function heldByYourself(current: Current, clock: Clock): string {
  const which = current.exclusive ? "that drain" : "this request";
  return `${heldBy(current, clock)} (the owner is the same, but ${which} is exclusive)`;
}

/** What a resume is told that belongs to a refused drain. */
export function absorbed(owner: string, current: Current, clock: Clock): string {
  return `Nothing was resumed: an earlier drain of ${quoted(owner)} was refused, ` +
    `and this resume belongs to it. ${heldBy(current, clock)}`;
}

/** What those are told who waited until it was drained. */
export function drainedAfter(waited: number, cut: number): string {
  return `Drained after ${describeDuration(waited)}${cut === 0 ? "" : `; ${cutText(cut)}`}`;
}

/**
 * What the one is told who drains again, of a drain that is to end sooner by that; `null` if it is not.
 *
 * @param before as it was
 * @param current as it is now
 */
export function shortened(before: Current, current: Current, clock: Clock): string | null {
  const isDrained = current.state === "drained";
  const [was, is] = isDrained
    ? [before.leaseEnds, current.leaseEnds]
    : [before.deadline, current.deadline];
  if (is === null || was !== null && was <= is) return null;
  const what = isDrained ? "lease ends" : "deadline is";
  const left = (time: number) => `in ${describeDuration(Math.max(0, time - clock.now()))}`;
  const earlier = was === null ? "where it had none" : `not ${left(was)}`;
  return `This shortens the drain that is there: its ${what} ${left(is)}, ${earlier}`;
}

/** What those are told who wait when a drain ends. */
export function endedBy(cause: EndCause, current: Current, by: string | null): string {
  const cut = current.cut.size;
  switch (cause) {
    case "resumed":
      return `The drain was ended by ${current.owner === null ? "" : "its owner "}${quoted(by)}`;
    case "forced":
      return `The drain was ended by ${quoted(by)}, by force`;
    case "deadline":
      return "The deadline passed; traffic was resumed, " +
        (cut === 0 ? "nothing was cut" : `${cutText(cut)} before`);
    case "cancelled":
      return "Nobody waits for the drain any more; traffic was resumed";
    case "lease":
      return "The lease expired; traffic was resumed";
    case "record":
      return "Failed to write the drain record; traffic was resumed";
  }
}

/** What those are told who wait when the proxy stops. */
export function stoppedWhile(current: Current): string {
  return current.state === "drained"
    ? "The proxy stopped while it was drained"
    : "The proxy stopped before it was drained";
}

/** What those are told who come back too late, or never waited. */
export const NO_SUCH_WAITER = "Nobody with that token is waited for: who waits for a drain that " +
  `moves to another process has ${describeDuration(COME_BACK_WITHIN)} to come back`;

/** What those are told who wait or ask when another process takes over. */
export const MOVED = "The drain goes on in another process of the proxy";

/** What the one is told who leaves a drain that goes on without it. */
export function staysDrained({ owner, leaseEnds }: Current, clock: Clock): string {
  return `Stays drained for ${quoted(owner)}, ${ends("lease", leaseEnds, clock)}`;
}

/** What the one is told who would have it stay drained, when it is not. */
export function notDrained(state: "open" | "draining"): string {
  return `The proxy is ${state}: only one that is drained can stay so`;
}

/** What the one is told who says that the service lets its clients go, when nobody waits for that. */
export const NOT_DRAINING = "The proxy is open: the drain that was to be released is over";

/** Too many wait for it. */
export const BUSY =
  `${MOST_WAITERS} wait for the drain already, and there is room for no more: see proxyctl status`;

/** What the one is told who resumed. @param suspended how many clients were suspended just before */
export function resumed({ held, longest }: Released, suspended: number): string {
  const waited = held === 1 ? "1 client was" : `${held} clients were`;
  const goOn = suspended === 1 ? "1 client was" : `${suspended} clients were`;
  const all = [
    ...held === 0 ? [] : [`${waited} held, the longest for ${describeDuration(longest)}`],
    ...suspended === 0 ? [] : [`${goOn} suspended, to go on at the next byte`],
  ];
  return ["Resumed", ...all.length === 0 ? ["nobody was held"] : all].join("; ");
}

function endCommand(current: Current, clock: Clock): string {
  const command = `proxyctl resume --owner ${shellWord(current.owner ?? "")}`;
  // Without force, a resume by this owner would first be taken as that of a refused drain.
  return current.refusals.has(current.owner, clock.now()) ? `${command} --force` : command;
}

/** When a time is over, by the monotonic clock. */
function ends(what: "lease" | "deadline", time: number | null, clock: Clock): string {
  if (time === null) return "without a limit";
  const left = describeDuration(Math.max(0, time - clock.now()));
  return what === "lease" ? `lease ends in ${left}` : `deadline in ${left}`;
}

function cutText(cut: number): string {
  return cut === 1 ? "1 connection was cut" : `${cut} connections were cut`;
}

function quoted(owner: string | null): string {
  return owner === null ? "nobody" : `"${owner}"`;
}
