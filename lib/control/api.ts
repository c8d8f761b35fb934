/**
 * What goes over the control socket, for both ends of it: HTTP/1.1 with JSON.
 *
 * @module
 */

import * as v from "valibot";
import { parseAddress } from "../address.ts";
import type { OutcomeName } from "../drain/outcomes.ts";
import { type PastDrain, seconds } from "../drain/past_drain.ts";
import { drainRequest, owner } from "../drain/request.ts";
import { parseFiniteDuration, parseQuiet } from "../duration.ts";
import { type Connection, CONNECTION_ORDERS } from "../relay/relay.ts";
import { parsed } from "../text_fields.ts";

/** The largest request body that is read, in bytes. */
export const LARGEST_BODY = 64 * 1024;

/** What `GET /v1/status` answers. Times are ISO 8601 or `null`. */
export interface Status {
  /** `stopping`: the process ends, and nobody is held or let in any more. */
  readonly state: "open" | "draining" | "drained" | "parked" | "stopping";
  readonly active: number;
  readonly queued: number | null;
  /** Clients that are held and were served before. */
  readonly suspended: number;
  /** Since when the one has been held that was never served and has waited the longest. */
  readonly heldSince: string | null;
  /** How many clients can be held; `null` where that is not known. */
  readonly queueLimit: number | null;
  readonly listen: string;
  readonly upstream: string;
  readonly owner: string | null;
  readonly reason: string | null;
  readonly since: string | null;
  readonly deadline: string | null;
  readonly leaseExpires: string | null;
  /** The process that keeps the listening socket while parked; else `null`. */
  readonly keeper: number | null;
  /** Until when it does. */
  readonly parkedUntil: string | null;
  readonly accepted: number;
  readonly bytesUp: number;
  readonly bytesDown: number;
  readonly relay: "epoll" | "portable";
  readonly threads: number;
  readonly pid: number;
  readonly version: string;
  readonly startedAt: string;
  /** Names the machine; an empty text where it has no name. */
  readonly machine: string;
  /** The runtime directory, as it is called there without links. */
  readonly directory: string;
  /** What became of the last drain that is decided, it may still be going on; `null` if none is known. */
  readonly lastDrain: PastDrain | null;
}

/** What `GET /v1/history` answers: the last 100 drains that are decided, the oldest first. */
export interface HistoryResult {
  readonly drains: readonly PastDrain[];
}

/** A connection, as `GET /v1/connections` lists it. */
export interface ConnectionView {
  readonly id: number;
  readonly peer: string;
  readonly upstream: string;
  readonly state: Connection["state"];
  readonly ageSeconds: number;
  readonly idleSeconds: number;
  readonly bytesUp: number;
  readonly bytesDown: number;
  /** ISO 8601; `null` if it is not held. */
  readonly heldSince: string | null;
  /** Why it cannot be suspended; `null` if it can. */
  readonly tied: Connection["tied"];
}

/** All connections of a client's address, as `GET /v1/connections?group=peer` lists them. */
export interface PeerView {
  /** The host alone. */
  readonly peer: string;
  readonly connections: number;
  readonly oldestSeconds: number;
  readonly longestIdleSeconds: number;
  readonly bytesUp: number;
  readonly bytesDown: number;
}

/** A line of `POST /v1/drain` while it is going on. */
export interface DrainProgress {
  readonly state: "draining" | "drained";
  readonly active: number;
  readonly queued: number | null;
  /** Clients whose service was let go. */
  readonly suspended: number;
  /** After how much silence the drain lets a service go; `null` is never. */
  readonly suspendQuietSeconds: number | null;
  readonly waitedSeconds: number;
  /** Whether the drain was there before it was asked for. */
  readonly joined: boolean;
  /** What whoever asked should know of the drain that was there; `null` if nothing. */
  readonly notice: string | null;
  /** Who is waited for, the oldest connections first, and not more than 20 of them. */
  readonly blockers: readonly ConnectionView[];
}

/** The last line of `POST /v1/drain`. */
export interface DrainOutcome {
  readonly outcome: OutcomeName;
  readonly message: string;
  readonly waitedSeconds: number;
  /** As in {@linkcode DrainProgress}; also where it is not known. */
  readonly joined: boolean;
  readonly connectionsCut: number;
  readonly active: number;
  readonly blockers: readonly ConnectionView[];
  /**
   * Only of `moved`: another process goes on with the drain, under the same control socket. Who
   * sends it `{"waiter": TOKEN}` within 10 s waits on as if nothing had happened.
   */
  readonly waiter?: string;
}

/** What `POST /v1/drain` answers to a dry run: what a drain would do now. */
export interface DryRun {
  readonly would: "drain" | "join" | "be refused";
  readonly message: string;
  readonly active: number;
  readonly blockers: readonly ConnectionView[];
}

/** What `POST /v1/resume` answers. */
export interface ResumeResult {
  readonly changed: boolean;
  readonly absorbed: boolean;
  readonly held: number;
  readonly longestHoldSeconds: number;
  readonly message: string;
}

/** What `POST /v1/stay-drained` answers. */
export interface StayDrainedResult {
  readonly owner: string | null;
  readonly leaseExpires: string | null;
  readonly message: string;
}

/** What `POST /v1/released` answers. */
export interface ReleasedResult {
  readonly state: "draining" | "drained";
  readonly active: number;
}

/** What `GET /v1/upstream` answers. */
export interface UpstreamView {
  /** Where new connections go. */
  readonly upstream: string;
  /** How many active connections are to another. */
  readonly elsewhere: number;
  /** How often it was retargeted. */
  readonly retargets: number;
}

/** What `PUT /v1/upstream` answers. */
export interface RetargetResult extends UpstreamView {
  readonly previous: string;
}

/** What `POST /v1/upgrade` answers, once another process has taken over. */
export interface UpgradeResult {
  readonly pid: number;
}

const returnRequest = v.strictObject({ waiter: v.pipe(v.string(), v.uuid("is no token")) });

const resumeRequest = v.strictObject({
  owner,
  force: v.optional(v.boolean(), false),
  waitUpstream: v.optional(v.nullable(parsed(parseFiniteDuration)), null),
});

const upstreamRequest = v.strictObject({
  upstream: parsed(parseAddress),
  /** Let go of connections to another that are quiet for that long; left out, as the proxy was told. */
  suspendQuiet: v.optional(parsed(parseQuiet)),
});

/** What can be said behind the path of `GET /v1/connections`. */
export const connectionsQuery = v.strictObject({
  /** Left out, those that are active come before those that are held. */
  sort: v.optional(v.picklist(CONNECTION_ORDERS)),
  /** Only the first of them. */
  limit: v.optional(v.pipe(
    v.string(),
    v.regex(/^[1-9]\d{0,5}$/, "is no whole number from 1 to 999999"),
    v.transform(Number),
  )),
  /** Each address of clients with all its connections, those with the most first. */
  group: v.optional(v.literal("peer")),
});

/** What is asked of the connections. */
export type ConnectionsQuery = v.InferOutput<typeof connectionsQuery>;

/** The bodies of requests. */
export const REQUESTS = {
  drain: drainRequest,
  /** Also of `POST /v1/drain`: by who waited for the drain before it moved. */
  return: returnRequest,
  resume: resumeRequest,
  stayDrained: v.strictObject({ owner }),
  released: v.strictObject({ owner }),
  upstream: upstreamRequest,
  upgrade: v.strictObject({}),
};

/** The body of `POST /v1/drain` of a client that comes back. */
export type ReturnBody = v.InferInput<typeof returnRequest>;
/** The body of `POST /v1/resume` as a client writes it. */
export type ResumeBody = v.InferInput<typeof resumeRequest>;

/** A connection as it is shown. */
export function viewConnection(connection: Connection): ConnectionView {
  const { age, idle, heldFor, ...rest } = connection;
  return {
    ...rest,
    ageSeconds: seconds(age),
    idleSeconds: seconds(idle),
    heldSince: heldFor === null ? null : new Date(Date.now() - heldFor).toISOString(),
  };
}

/** The longest hold, in milliseconds, as the time when it began; `null` if there is none. */
export function heldSince(longestHold: number): string | null {
  return longestHold === 0 ? null : new Date(Date.now() - longestHold).toISOString();
}

export { seconds };

/** Milliseconds since the epoch as a time in ISO 8601; `null` stays that. */
export function isoTime(time: number | null): string | null {
  return time === null ? null : new Date(time).toISOString();
}
