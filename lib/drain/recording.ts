/**
 * From a drain to its record and back.
 *
 * @module
 */

import { type Address, formatAddress } from "../address.ts";
import type { Clock } from "../clock.ts";
import { WAIT_FOR_ALL } from "../relay/relay.ts";
import type { Current } from "./current.ts";
import type { DrainRecord } from "./record.ts";
import { ABSORB_WITHIN, Refusals } from "./refusals.ts";
import { isoTime } from "./times.ts";

/** The record of a drain. The upstream is where new connections go. */
export function recordOf(
  current: Current,
  clock: Clock,
  commandUpstream: string,
  upstream: Address,
): DrainRecord {
  const target = formatAddress(upstream);
  return {
    version: 1,
    state: current.state,
    owner: current.owner,
    reason: current.reason,
    since: new Date(current.since).toISOString(),
    deadline: isoTime(current.deadline, clock),
    lease: current.lease,
    leaseExpires: isoTime(current.leaseEnds, clock),
    exclusive: current.exclusive,
    detached: current.detached,
    commandUpstream,
    upstream: target === commandUpstream ? null : target,
    refusals: current.refusals.pending(clock.now()).map(({ owner, expires }) => ({
      owner,
      expires: isoTime(expires, clock) ?? "",
    })),
  };
}

/**
 * The drain that an earlier process left. It had no connections to hand on, so what goes on is
 * drained.
 *
 * @returns `null` if nothing of it goes on: its waiters are gone, or its time is over
 */
export function restore(found: DrainRecord, clock: Clock): Current | null {
  const left = (time: string | null) => time === null ? null : Date.parse(time) - clock.wall();
  const over = (rest: number | null) => rest !== null && rest <= 0;
  if (found.state === "draining" && (!found.detached || over(left(found.deadline)))) return null;
  // A wall clock that was set back must not make the lease longer than it was.
  const lease = found.state === "draining"
    ? found.lease
    : shorter(left(found.leaseExpires), found.lease);
  if (over(lease)) return null;
  const now = clock.now();
  return {
    state: "drained",
    owner: found.owner,
    reason: found.reason,
    started: now,
    since: Date.parse(found.since),
    deadline: null,
    lease: found.lease,
    leaseEnds: lease === null ? null : now + lease,
    exclusive: found.exclusive,
    detached: true,
    closeIdle: null,
    closeRemaining: false,
    lettingGo: WAIT_FOR_ALL,
    cut: new Set(),
    cutNames: [],
    waiters: new Set(),
    refusals: new Refusals(found.refusals.map(({ owner, expires }) => ({
      owner,
      expires: now + Math.min(Date.parse(expires) - clock.wall(), ABSORB_WITHIN),
    }))),
  };
}

/** The shorter one of two durations. */
function shorter(one: number | null, other: number | null): number | null {
  return one === null || other === null ? one ?? other : Math.min(one, other);
}
