/**
 * What proxies answer, as far as it is understood. They may be of another version, and of users who
 * are not to be trusted: whatever one says, the page of the others is not hurt by it.
 *
 * @module
 */

import * as v from "valibot";
import type { ConnectionView, PeerView, Status } from "../control/api.ts";
import { type PastDrain, pastDrain } from "../drain/past_drain.ts";
import { Failure } from "../failure.ts";
import { TIES } from "../relay/conversation.ts";
import { CONNECTION_STATES } from "../relay/relay.ts";

/** How long a text may be. Owners and reasons are shorter. */
const LONGEST = 1000;

/** How many drains there may be. */
const MOST_DRAINS = 100;

const text = v.pipe(v.string(), v.maxLength(LONGEST));
const textOrNull = v.fallback(v.nullable(text), null);
const time = v.fallback(v.nullable(v.pipe(text, v.isoTimestamp())), null);
const count = v.fallback(v.pipe(v.number(), v.finite()), 0);
const countOrNull = v.fallback(v.nullable(v.pipe(v.number(), v.finite())), null);

const status: v.GenericSchema<unknown, Status> = v.object({
  state: v.picklist(["open", "draining", "drained", "parked", "stopping"]),
  active: count,
  queued: countOrNull,
  suspended: count,
  heldSince: time,
  queueLimit: countOrNull,
  listen: text,
  upstream: text,
  owner: textOrNull,
  reason: textOrNull,
  since: time,
  deadline: time,
  leaseExpires: time,
  keeper: countOrNull,
  parkedUntil: time,
  accepted: count,
  bytesUp: count,
  bytesDown: count,
  relay: v.fallback(v.picklist(["epoll", "portable"]), "epoll"),
  threads: count,
  pid: count,
  version: v.fallback(text, "unknown"),
  startedAt: v.fallback(v.pipe(text, v.isoTimestamp()), "unknown"),
  machine: v.fallback(text, ""),
  directory: v.fallback(text, ""),
  lastDrain: v.fallback(v.nullable(pastDrain), null),
});

const connection: v.GenericSchema<unknown, ConnectionView> = v.object({
  id: count,
  peer: text,
  upstream: text,
  state: v.picklist(CONNECTION_STATES),
  ageSeconds: count,
  idleSeconds: count,
  bytesUp: count,
  bytesDown: count,
  heldSince: time,
  tied: v.fallback(v.nullable(v.picklist(TIES)), null),
});

const peer: v.GenericSchema<unknown, PeerView> = v.object({
  peer: text,
  connections: count,
  oldestSeconds: count,
  longestIdleSeconds: count,
  bytesUp: count,
  bytesDown: count,
});

const drain: v.GenericSchema<unknown, PastDrain> = v.pipe(v.unknown(), pastDrain);

/** How a proxy is. @throws {Failure} when it does not say */
export function statusIn(answer: unknown): Status {
  const { success, output } = v.safeParse(status, answer);
  if (success) return output;
  throw new Failure("What answers there does not say how a proxy is");
}

/** The drains in an answer that are understood, the oldest first. */
export function drainsIn(answer: unknown): readonly PastDrain[] {
  return understood<PastDrain>(drain, answer, "drains").slice(-MOST_DRAINS)
    .filter((one) => [one.owner, one.reason].every((text) => (text ?? "").length <= LONGEST));
}

/** The connections in an answer that are understood. @param most how many at the most */
export function connectionsIn(answer: unknown, most: number): readonly ConnectionView[] {
  return understood(connection, answer, "connections", most);
}

/** The peers in an answer that are understood. @param most how many at the most */
export function peersIn(answer: unknown, most: number): readonly PeerView[] {
  return understood(peer, answer, "peers", most);
}

function understood<T>(
  schema: v.GenericSchema<unknown, T>,
  answer: unknown,
  field: string,
  most = Infinity,
): T[] {
  const list = (answer as Record<string, unknown> | null)?.[field];
  if (!Array.isArray(list)) return [];
  return list.slice(0, most).flatMap((one) => {
    const { success, output } = v.safeParse(schema, one);
    return success ? [output] : [];
  });
}
