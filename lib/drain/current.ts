/**
 * The drain that is going on, as data.
 *
 * @module
 */

import type { Clock } from "../clock.ts";
import type { Duration } from "../duration.ts";
import type { InTheWay } from "./past_drain.ts";
import { type LettingGo, WAIT_FOR_ALL } from "../relay/relay.ts";
import { Refusals } from "./refusals.ts";
import { endOf, wallTime } from "./times.ts";
import type { DrainRequest } from "./request.ts";
import type { DrainStatus } from "./types.ts";
import type { Waiter } from "./waiter.ts";

/** How long a drain that was asked for on the command line may stay drained, in milliseconds. */
export const START_DRAINED_LEASE = 60 * 60_000;

/** What a drain does with connections whose service has ended its side, in milliseconds. */
const CLOSE_ENDED = 1000;

/**
 * A drain that is going on. Its times are the clock's monotonic ones, but for `since`. What the
 * record says of it never changes in place: there is a new one, once that has been recorded.
 */
export interface Current {
  readonly state: "draining" | "drained";
  /** `null`: nobody's; the first who drains becomes its owner, and anybody may end it. */
  readonly owner: string | null;
  readonly reason: string | null;
  readonly started: number;
  /** When it started, by the wall clock; of a restored one, when it started at first. */
  readonly since: number;
  readonly deadline: number | null;
  readonly lease: Duration;
  /** When the lease ends; `null` while draining. */
  readonly leaseEnds: number | null;
  readonly exclusive: boolean;
  /** Nobody needs to wait for it: that was asked for, or somebody has been told that it is drained. */
  readonly detached: boolean;
  readonly closeIdle: Duration;
  readonly closeRemaining: boolean;
  /** What it does not wait for. */
  readonly lettingGo: LettingGo;
  /** The connections that it cut. A relay may take a moment until a cut one is gone. */
  readonly cut: Set<number>;
  /** The first of them, as they were then; those who come across the drain may want to know. */
  readonly cutNames: InTheWay[];
  /** Who is still to be told of it. */
  readonly waiters: Set<Waiter>;
  readonly refusals: Refusals;
}

/**
 * A drain that begins now.
 *
 * @param suspendQuiet what is let go if the request does not say
 */
export function begin(request: DrainRequest, suspendQuiet: Duration, clock: Clock): Current {
  return {
    state: "draining",
    owner: request.owner,
    reason: request.reason,
    started: clock.now(),
    since: clock.wall(),
    deadline: endOf(request.timeout, clock),
    lease: request.lease,
    leaseEnds: null,
    exclusive: request.exclusive,
    detached: !request.wait,
    closeIdle: request.closeIdle,
    closeRemaining: request.closeRemaining,
    lettingGo: lettingGo(request, { suspendQuiet, closeEnded: CLOSE_ENDED }),
    cut: new Set(),
    cutNames: [],
    waiters: new Set(),
    refusals: new Refusals(),
  };
}

/** The drain that `--start-drained` asks for: drained from the first moment, and nobody's. */
export function startDrained(clock: Clock): Current {
  return {
    state: "drained",
    owner: null,
    reason: "started drained",
    started: clock.now(),
    since: clock.wall(),
    deadline: null,
    lease: START_DRAINED_LEASE,
    leaseEnds: endOf(START_DRAINED_LEASE, clock),
    exclusive: false,
    detached: true,
    closeIdle: null,
    closeRemaining: false,
    lettingGo: WAIT_FOR_ALL,
    cut: new Set(),
    cutNames: [],
    waiters: new Set(),
    refusals: new Refusals(),
  };
}

/** The same drain, now that its owner asked for it again: the new deadline and lease count. */
export function join(current: Current, request: DrainRequest, clock: Clock): Current {
  const drained = current.state === "drained";
  return {
    ...current,
    owner: request.owner,
    reason: request.reason ?? current.reason,
    deadline: drained ? null : endOf(request.timeout, clock),
    lease: request.lease,
    leaseEnds: drained ? endOf(request.lease, clock) : null,
    exclusive: current.exclusive || request.exclusive,
    detached: current.detached || !request.wait,
    closeIdle: request.closeIdle ?? current.closeIdle,
    closeRemaining: request.closeRemaining || current.closeRemaining,
    lettingGo: lettingGo(request, current.lettingGo),
  };
}

/** What a request says of that; where it says nothing it stays as it is. */
function lettingGo(
  { suspendQuiet, closeEnded }: Pick<DrainRequest, "suspendQuiet" | "closeEnded">,
  otherwise: LettingGo,
): LettingGo {
  return {
    suspendQuiet: suspendQuiet === undefined ? otherwise.suspendQuiet : suspendQuiet,
    closeEnded: closeEnded === undefined ? otherwise.closeEnded : closeEnded,
  };
}

/** The same drain, now that nothing is active any more: the lease starts. */
export function drained(current: Current, clock: Clock): Current {
  return {
    ...current,
    state: "drained",
    deadline: null,
    leaseEnds: endOf(current.lease, clock),
  };
}

/** The state as it is told. @param current `null` while open */
export function statusOf(current: Current | null, clock: Clock): DrainStatus {
  return {
    state: current?.state ?? "open",
    owner: current?.owner ?? null,
    reason: current?.reason ?? null,
    since: current?.since ?? null,
    deadline: wallTime(current?.deadline ?? null, clock),
    leaseExpires: wallTime(current?.leaseEnds ?? null, clock),
  };
}
