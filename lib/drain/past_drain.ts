/**
 * A drain that is decided, as it is kept and shown.
 *
 * @module
 */

import * as v from "valibot";
import type { Connection } from "../relay/relay.ts";
import { OUTCOME_NAMES } from "./outcomes.ts";

const number = v.pipe(v.number(), v.finite());
const count = v.pipe(v.number(), v.safeInteger(), v.minValue(0));

const inTheWay = v.object({
  id: count,
  peer: v.string(),
  upstream: v.string(),
  ageSeconds: number,
  idleSeconds: number,
});

/** A connection that was in the way of a drain, as it was then. */
export type InTheWay = Readonly<v.InferOutput<typeof inTheWay>>;

/** Why a drain can end, as seen from inside. */
export const END_CAUSES = [
  "resumed",
  "forced",
  "deadline",
  "cancelled",
  "lease",
  "record",
] as const;

/** A drain that is decided, as it is kept and shown: times are ISO 8601, or seconds. */
export const pastDrain = v.object({
  outcome: v.picklist(OUTCOME_NAMES),
  owner: v.nullable(v.string()),
  reason: v.nullable(v.string()),
  since: v.string(),
  /** How long it took to become drained, or to fail. */
  tookSeconds: number,
  /** How many connections were still active then. */
  active: count,
  /** The oldest of them. */
  blockers: v.pipe(v.array(inTheWay), v.readonly()),
  /** How many it cut. */
  cut: count,
  /** The first of them. */
  cutConnections: v.pipe(v.array(inTheWay), v.readonly()),
  /** Why it ended, and when; `null` as long as it has not. `stopped`: with its process. */
  endedBy: v.nullable(v.picklist([...END_CAUSES, "stopped"])),
  endedAt: v.nullable(v.string()),
  /** How many clients were held, and the longest time; `null` until they are served. */
  held: v.nullable(count),
  longestHoldSeconds: v.nullable(number),
});

/** A drain that is decided. */
export type PastDrain = Readonly<v.InferOutput<typeof pastDrain>>;

/** Connections that were in the way, for a moving drain. */
export const namedConnections = v.array(inTheWay);

/** A connection by the names with which somebody finds it. */
export function named({ id, peer, upstream, age, idle }: Connection): InTheWay {
  return { id, peer, upstream, ageSeconds: seconds(age), idleSeconds: seconds(idle) };
}

/** Milliseconds as seconds, to the millisecond. */
export function seconds(milliseconds: number): number {
  return Math.round(milliseconds) / 1000;
}
