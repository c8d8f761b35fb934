/**
 * The snapshot: all that another process needs to go on with a drain as if nothing had happened.
 * More than the record, which is for a process that died.
 *
 * @module
 */

import * as v from "valibot";
import { isAddress } from "./record.ts";
import { OUTCOMES } from "./types.ts";

const address = v.pipe(v.string(), v.check(isAddress, "is no HOST:PORT"));
const number = v.pipe(v.number(), v.finite());
const milliseconds = v.pipe(number, v.minValue(0));
const count = v.pipe(v.number(), v.safeInteger(), v.minValue(0));

const connection = v.strictObject({
  id: count,
  peer: v.string(),
  upstream: v.string(),
  state: v.picklist(["connecting", "established", "half-closed"]),
  age: number,
  idle: number,
  bytesUp: count,
  bytesDown: count,
});

const outcome = v.strictObject({
  outcome: v.picklist(OUTCOMES),
  message: v.string(),
  waited: milliseconds,
  cut: count,
  blockers: v.pipe(v.array(connection), v.readonly()),
});

const waiter = v.strictObject({
  token: v.pipe(v.string(), v.uuid()),
  attached: v.boolean(),
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
  /** The ids of the connections that it cut. */
  cut: v.array(count),
  refusals: v.array(v.strictObject({ owner: v.string(), expiresIn: number })),
});

const schema = v.pipe(
  v.strictObject({
    version: v.literal(1),
    /** The service on the command line. */
    commandUpstream: address,
    /** Where new connections go instead; `null` unless it was retargeted. */
    upstream: v.nullable(address),
    /** `null` while open. */
    drain: v.nullable(drain),
    /** Those who are to come back. */
    waiters: v.array(waiter),
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
  const result = v.safeParse(schema, json);
  if (result.success) return result.output;
  const [issue] = result.issues;
  throw new Error(`The drain: ${v.getDotPath(issue) ?? "the whole"}: ${issue.message}`);
}
