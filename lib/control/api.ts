/**
 * What goes over the control socket, for both ends of it: HTTP/1.1 with JSON.
 *
 * @module
 */

import * as v from "valibot";
import { parseAddress } from "../address.ts";
import { parseDuration, parseFiniteDuration } from "../duration.ts";
import type { Outcome } from "../drain/types.ts";
import type { Connection } from "../relay/relay.ts";
import { messageOf } from "../message_of.ts";

/** The largest request body that is read, in bytes. */
export const LARGEST_BODY = 64 * 1024;

/** What `GET /v1/status` answers. Times are ISO 8601 or `null`. */
export interface Status {
  readonly state: "open" | "draining" | "drained" | "parked";
  readonly active: number;
  readonly queued: number | null;
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
}

/** A line of `POST /v1/drain` while it is going on. */
export interface DrainProgress {
  readonly state: "draining" | "drained";
  readonly active: number;
  readonly queued: number | null;
  readonly waitedSeconds: number;
  /** Who is waited for, the oldest connections first; not more than {@linkcode MOST_BLOCKERS}. */
  readonly blockers: readonly ConnectionView[];
}

/** The last line of `POST /v1/drain`. */
export interface DrainOutcome {
  readonly outcome: Outcome["outcome"];
  readonly message: string;
  readonly waitedSeconds: number;
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

/** What `POST /v1/upgrade` answers, once another process has taken over. */
export interface UpgradeResult {
  readonly pid: number;
}

/** What is answered where something cannot be done. */
export interface ErrorBody {
  readonly error: { readonly code: ErrorCode; readonly message: string };
}

/** What can be wrong, with the HTTP status that goes with it. */
export const ERROR_STATUS = {
  bad_request: 400,
  not_found: 404,
  no_such_connection: 404,
  no_such_waiter: 404,
  method_not_allowed: 405,
  request_timeout: 408,
  held_by_another: 409,
  too_large: 413,
  internal: 500,
  record_not_written: 500,
  /** Only a keeper is there. */
  parked: 409,
  stopping: 503,
  /** Another process takes over: the same request, made again, is for that one. */
  moved: 503,
  upstream_unreachable: 504,
  upgrade_failed: 500,
  /** The portable relay cannot be taken over from. */
  not_upgradable: 409,
} as const;

/** The codes of {@linkcode ErrorBody}. */
export type ErrorCode = keyof typeof ERROR_STATUS;

/** How many blocking connections a line of progress names at the most. */
export const MOST_BLOCKERS = 20;

const owner = v.pipe(
  v.string(),
  v.regex(/^[^\p{Cc}]{1,200}$/u, "expected 1 to 200 characters, and no control characters"),
);
const reason = v.pipe(
  v.string(),
  v.regex(/^[^\p{Cc}]{0,1000}$/u, "expected at most 1000 characters, and no control characters"),
);
const duration = parsed(parseDuration);

const drainRequest = v.pipe(
  v.strictObject({
    owner,
    reason: v.optional(v.nullable(reason), null),
    timeout: v.optional(duration, "60s"),
    lease: v.optional(duration, "1h"),
    exclusive: v.optional(v.boolean(), false),
    wait: v.optional(v.boolean(), true),
    attached: v.optional(v.boolean(), false),
    closeIdle: v.optional(duration, "none"),
    closeRemaining: v.optional(v.boolean(), false),
    dryRun: v.optional(v.boolean(), false),
  }),
  v.check(
    ({ attached, exclusive, wait }) => !attached || (exclusive && wait),
    "an attached drain must be exclusive, and waited for",
  ),
  v.check(
    ({ closeRemaining, timeout }) => !closeRemaining || timeout !== null,
    "closeRemaining needs a timeout: it is then that connections are closed",
  ),
);

const returnRequest = v.strictObject({ waiter: v.pipe(v.string(), v.uuid("is no token")) });

const resumeRequest = v.strictObject({
  owner,
  force: v.optional(v.boolean(), false),
  waitUpstream: v.optional(v.nullable(parsed(parseFiniteDuration)), null),
});

const upstreamRequest = v.strictObject({ upstream: parsed(parseAddress) });

/** The bodies of requests. */
export const REQUESTS = {
  drain: drainRequest,
  /** Also of `POST /v1/drain`: by who waited for the drain before it moved. */
  return: returnRequest,
  resume: resumeRequest,
  upstream: upstreamRequest,
  upgrade: v.strictObject({}),
};

/** The body of `POST /v1/drain` as a client writes it. */
export type DrainBody = v.InferInput<typeof drainRequest>;
/** The body of `POST /v1/drain` of a client that comes back. */
export type ReturnBody = v.InferInput<typeof returnRequest>;
/** The body of `POST /v1/resume` as a client writes it. */
export type ResumeBody = v.InferInput<typeof resumeRequest>;

/** A connection as it is shown. */
export function viewConnection(connection: Connection): ConnectionView {
  const { age, idle, ...rest } = connection;
  return { ...rest, ageSeconds: seconds(age), idleSeconds: seconds(idle) };
}

/** Milliseconds as seconds, to the millisecond. */
export function seconds(milliseconds: number): number {
  return Math.round(milliseconds) / 1000;
}

function parsed<T>(parse: (text: string) => T) {
  return v.pipe(
    v.string(),
    v.rawTransform(({ dataset, addIssue, NEVER }) => {
      try {
        return parse(dataset.value);
      } catch (error) {
        addIssue({ message: messageOf(error) });
        return NEVER;
      }
    }),
  );
}
