/**
 * From a drain to its snapshot and back.
 *
 * @module
 */

import type { Clock } from "../clock.ts";
import type { Current } from "./current.ts";
import { Refusals } from "./refusals.ts";
import type { DrainSnapshot } from "./snapshot.ts";
import { endOf } from "./times.ts";
import { Waiter, type WaiterEvents } from "./waiter.ts";

type MovingDrain = NonNullable<DrainSnapshot["drain"]>;
type MovingWaiter = DrainSnapshot["waiters"][number];

/**
 * A drain as it is now, for the process that goes on with it.
 *
 * @param isParked whether its lease could not be renewed, and begins anew
 */
export function packDrain(current: Current, clock: Clock, isParked: boolean): MovingDrain {
  const now = clock.now();
  const left = (time: number | null) => time === null ? null : time - now;
  return {
    state: current.state,
    owner: current.owner,
    reason: current.reason,
    since: current.since,
    elapsed: now - current.started,
    deadlineIn: left(current.deadline),
    lease: current.lease,
    leaseEndsIn: isParked ? current.lease : left(current.leaseEnds),
    exclusive: current.exclusive,
    detached: current.detached,
    closeIdle: current.closeIdle,
    closeRemaining: current.closeRemaining,
    ...current.lettingGo,
    cut: [...current.cut],
    cutNames: current.cutNames,
    refusals: current.refusals.pending(now).map(({ owner, expires }) => ({
      owner,
      expiresIn: expires - now,
    })),
  };
}

/** The drain that another process packed, without its waiters. */
export function unpackDrain(moving: MovingDrain, clock: Clock): Current {
  const {
    elapsed,
    deadlineIn,
    leaseEndsIn,
    suspendQuiet,
    closeEnded,
    cut,
    cutNames,
    refusals,
    ...same
  } = moving;
  const now = clock.now();
  return {
    ...same,
    // Who was told that it is drained, relies on it, and has not come along.
    detached: same.detached || same.state === "drained",
    started: now - elapsed,
    deadline: endOf(deadlineIn, clock),
    leaseEnds: endOf(leaseEndsIn, clock),
    lettingGo: { suspendQuiet, closeEnded },
    cut: new Set(cut),
    cutNames: [...cutNames ?? []],
    waiters: new Set(),
    refusals: new Refusals(
      refusals.map(({ owner, expiresIn }) => ({ owner, expires: now + expiresIn })),
    ),
  };
}

/**
 * The waiters that are to come back to the next process.
 *
 * @param present those of the drain; who has been told all that it waited for does not come back
 * @param away those who have not come back to this one
 */
export function packWaiters(present: Iterable<Waiter>, away: readonly Waiter[]): MovingWaiter[] {
  const here = [...present].filter((one) => one.waits && (one.attached || !one.settledAs));
  return [...new Set([...away, ...here])].map((waiter) => ({
    token: waiter.token,
    attached: waiter.attached,
    releases: waiter.releases,
    waited: waiter.waited,
    settled: waiter.settledAs,
    ended: waiter.endedAs,
  }));
}

/** A waiter that another process packed. */
export function unpackWaiter(
  { settled, ended, ...origin }: MovingWaiter,
  clock: Clock,
  events: WaiterEvents,
): Waiter {
  const waiter = new Waiter({ ...origin, wait: true }, clock, events);
  if (settled !== null) waiter.settle(settled);
  if (ended !== null) waiter.end(ended);
  return waiter;
}
