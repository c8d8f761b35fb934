/**
 * What people are told of a drain.
 *
 * @module
 */

import type { Clock } from "../clock.ts";
import { describeDuration } from "../duration.ts";
import type { Released } from "../relay/relay.ts";
import { COME_BACK_WITHIN } from "./away.ts";
import type { Current } from "./current.ts";
import { isoTime } from "./times.ts";
import type { EndCause } from "./types.ts";

/** Who holds the proxy, why, since when, until when, and the command that ends that. */
export function heldBy(current: Current, clock: Clock): string {
  const { owner, reason, state } = current;
  const what = state === "drained" ? "drained" : "being drained";
  const because = reason === null ? "" : ` (${reason})`;
  const since = new Date(current.since).toISOString();
  const until = state === "drained"
    ? limit("lease until", isoTime(current.leaseEnds, clock))
    : limit("deadline", isoTime(current.deadline, clock));
  return `The proxy is ${what} by ${quoted(owner)}${because} since ${since}, ${until}; ` +
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

/** What the one is told who resumed. */
export function resumed({ held, longest }: Released): string {
  if (held === 0) return "Resumed; nobody was held";
  const clients = held === 1 ? "1 client was" : `${held} clients were`;
  return `Resumed; ${clients} held, the longest for ${describeDuration(longest)}`;
}

function endCommand(current: Current, clock: Clock): string {
  const command = `proxyctl resume --owner ${shellWord(current.owner ?? "")}`;
  // Without force, a resume by this owner would first be taken as that of a refused drain.
  return current.refusals.has(current.owner, clock.now()) ? `${command} --force` : command;
}

function limit(what: string, time: string | null): string {
  return time === null ? "without a limit" : `${what} ${time}`;
}

function cutText(cut: number): string {
  return cut === 1 ? "1 connection was cut" : `${cut} connections were cut`;
}

function quoted(owner: string | null): string {
  return owner === null ? "nobody" : `"${owner}"`;
}

/** An owner as a word for a shell, for commands that are meant to be pasted. */
function shellWord(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}
