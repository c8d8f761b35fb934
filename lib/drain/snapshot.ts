/**
 * The snapshot: all that another process needs to go on with a drain as if nothing had happened.
 * More than the record, which is for a process that died.
 *
 * @module
 */

import * as v from "valibot";
import { TIES } from "../relay/conversation.ts";
import { CONNECTION_STATES } from "../relay/relay.ts";
import { validated } from "../validated.ts";
import { namedConnections, pastDrain } from "./past_drain.ts";
import { isAddress } from "./record.ts";
import { OUTCOME_NAMES } from "./outcomes.ts";

const address = v.pipe(v.string(), v.check(isAddress, "is no HOST:PORT"));
const number = v.pipe(v.number(), v.finite());
const milliseconds = v.pipe(number, v.minValue(0));
const count = v.pipe(v.number(), v.safeInteger(), v.minValue(0));

const connection = v.strictObject({
  id: count,
  peer: v.string(),
  upstream: v.string(),
  state: v.pipe(
    v.picklist([...CONNECTION_STATES, "half-closed"]),
    // So versions called both that did not tell who had ended.
    v.transform((state) => state === "half-closed" ? "client-ended" : state),
  ),
  age: number,
  idle: number,
  bytesUp: count,
  bytesDown: count,
  /** Versions that did not send these knew neither. */
  heldFor: v.optional(v.nullable(milliseconds), null),
  tied: v.optional(v.nullable(v.picklist(TIES)), null),
});

const outcome = v.pipe(
  v.strictObject({
    outcome: v.picklist(OUTCOME_NAMES),
    message: v.string(),
    waited: milliseconds,
    cut: count,
    /** Versions that did not send it named all of them. */
    active: v.optional(count),
    blockers: v.pipe(v.array(connection), v.readonly()),
  }),
  v.transform((one) => ({ ...one, active: one.active ?? one.blockers.length })),
);

const waiter = v.strictObject({
  token: v.pipe(v.string(), v.uuid()),
  attached: v.boolean(),
  /** Whether it is still to say that the service lets its clients go. */
  releases: v.optional(v.boolean(), false),
  /** How long it has waited. */
  waited: milliseconds,
  /** What it must be told, if it did not come back from an earlier move to hear that. */
  settled: v.nullable(outcome),
  ended: v.nullable(outcome),
});

const drain = v.strictObject({
  state: v.picklist(["draining", "drained"]),
  /** `null`: nobody's; anybody may end it. */
  owner: v.nullable(v.string()),
  reason: v.nullable(v.string()),
  /** When it began, in milliseconds since the epoch. */
  since: number,
  /** How long ago it began. */
  elapsed: milliseconds,
  /** How long until the deadline, below zero if it has passed; `null`: there is none. */
  deadlineIn: v.nullable(number),
  lease: v.nullable(milliseconds),
  leaseEndsIn: v.nullable(number),
  exclusive: v.boolean(),
  /** Nobody needs to wait for it (`--no-wait`). */
  detached: v.boolean(),
  closeIdle: v.nullable(milliseconds),
  closeRemaining: v.boolean(),
  /** Versions that did not send these waited for all. */
  suspendQuiet: v.optional(v.nullable(milliseconds), null),
  closeEnded: v.optional(v.nullable(milliseconds), null),
  /** The ids of the connections that it cut. */
  cut: v.array(count),
  /** The first of them by name; versions before did not send it. */
  cutNames: v.optional(v.pipe(namedConnections, v.readonly())),
  refusals: v.array(v.strictObject({ owner: v.string(), expiresIn: number })),
});

const schema = v.pipe(
  v.strictObject({
    version: v.literal(1),
    /** The service on the command line. */
    commandUpstream: address,
    /** Where new connections go instead; `null` unless it was retargeted. */
    upstream: v.nullable(address),
    /** What is let go of connections to any other service, as long as the upstream stays that. */
    suspendElsewhere: v.optional(v.nullable(milliseconds), null),
    /** How often it was retargeted, so that who waits for one can tell it from another. */
    retargets: v.optional(count, 0),
    /** `null` while open. */
    drain: v.nullable(drain),
    /** Those who are to come back. */
    waiters: v.array(waiter),
    /** The drains that were; versions before did not send them. */
    history: v.optional(v.pipe(v.array(pastDrain), v.readonly())),
  }),
  v.check(
    ({ drain, waiters }) => drain !== null || waiters.every(({ ended }) => ended !== null),
    "somebody waits for a drain, but there is none",
  ),
);

/**
 * A drain between two processes. It is JSON. Durations are in milliseconds, as they were when it
 * was made: the clocks of two processes need not agree.
 */
export type DrainSnapshot = v.InferOutput<typeof schema>;

/**
 * Checks what another process sent.
 *
 * @throws {Error} saying what is wrong with it
 */
export function parseSnapshot(json: unknown): DrainSnapshot {
  return validated(schema, json, "The drain: ");
}

/**
 * A snapshot as the version before takes it: it does not know how many connections there are beside
 * those that are named, who was cut, which drains there were, nor who of a connection has ended,
 * holds it or ties it. It waits for all, and for nobody who has the service let go.
 *
 * @throws {Error} as {@linkcode parseSnapshot}
 */
export function snapshotForVersionBefore(json: unknown): unknown {
  const {
    suspendElsewhere: _elsewhere,
    retargets: _retargets,
    history: _history,
    drain,
    ...snapshot
  } = parseSnapshot(json);
  const known = (outcome: DrainSnapshot["waiters"][number]["settled"]) => {
    if (outcome === null) return null;
    const { active: _active, ...rest } = outcome;
    const blockers = outcome.blockers.map(({ heldFor: _held, tied: _tied, ...connection }) => ({
      ...connection,
      state: connection.state.endsWith("-ended") ? "half-closed" : connection.state,
    }));
    return { ...rest, blockers };
  };
  const waiters = snapshot.waiters.map(({ releases: _releases, ...waiter }) => ({
    ...waiter,
    settled: known(waiter.settled),
    ended: known(waiter.ended),
  }));
  if (drain === null) return { ...snapshot, drain, waiters };
  const { cutNames: _names, suspendQuiet: _suspend, closeEnded: _close, ...knownDrain } = drain;
  return { ...snapshot, drain: knownDrain, waiters };
}
