/**
 * What is answered at the control socket, as schemas: for those who want to know before they ask.
 *
 * @module
 */

import * as v from "valibot";
import { OUTCOME_NAMES } from "../drain/outcomes.ts";
import { pastDrain } from "../drain/past_drain.ts";
import { TIES } from "../relay/conversation.ts";
import { CONNECTION_STATES } from "../relay/relay.ts";
import type {
  ConnectionView,
  DrainOutcome,
  DrainProgress,
  DryRun,
  HistoryResult,
  PeerView,
  ReleasedResult,
  ResumeResult,
  RetargetResult,
  Status,
  StayDrainedResult,
  UpgradeResult,
  UpstreamView,
} from "./api.ts";
import { type ErrorBody, type ErrorCode, ERRORS } from "./errors.ts";

const count = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
const seconds = v.number();
const time = v.pipe(v.string(), v.isoTimestamp());
const text = v.string();

const status: v.GenericSchema<Status> = v.strictObject({
  state: v.picklist(["open", "draining", "drained", "parked", "stopping"]),
  active: count,
  queued: v.nullable(count),
  suspended: count,
  heldSince: v.nullable(time),
  queueLimit: v.nullable(count),
  listen: text,
  upstream: text,
  owner: v.nullable(text),
  reason: v.nullable(text),
  since: v.nullable(time),
  deadline: v.nullable(time),
  leaseExpires: v.nullable(time),
  keeper: v.nullable(count),
  parkedUntil: v.nullable(time),
  accepted: count,
  bytesUp: count,
  bytesDown: count,
  relay: v.picklist(["epoll", "portable"]),
  threads: count,
  pid: count,
  version: text,
  startedAt: time,
  machine: text,
  directory: text,
  lastDrain: v.nullable(pastDrain),
});

const connection: v.GenericSchema<ConnectionView> = v.strictObject({
  id: count,
  peer: text,
  upstream: text,
  state: v.picklist(CONNECTION_STATES),
  ageSeconds: seconds,
  idleSeconds: seconds,
  bytesUp: count,
  bytesDown: count,
  heldSince: v.nullable(time),
  tied: v.nullable(v.picklist(TIES)),
});
const connections = v.array(connection);

const peer: v.GenericSchema<PeerView> = v.strictObject({
  peer: text,
  connections: count,
  oldestSeconds: seconds,
  longestIdleSeconds: seconds,
  bytesUp: count,
  bytesDown: count,
});

const progress: v.GenericSchema<DrainProgress> = v.strictObject({
  state: v.picklist(["draining", "drained"]),
  active: count,
  queued: v.nullable(count),
  suspended: count,
  suspendQuietSeconds: v.nullable(seconds),
  waitedSeconds: seconds,
  joined: v.boolean(),
  notice: v.nullable(v.string()),
  blockers: connections,
});

const outcome: v.GenericSchema<Omit<DrainOutcome, "waiter">> = v.strictObject({
  outcome: v.picklist(OUTCOME_NAMES),
  message: text,
  waitedSeconds: seconds,
  joined: v.boolean(),
  connectionsCut: count,
  active: count,
  blockers: connections,
  waiter: v.optional(v.pipe(text, v.uuid())),
});

const dryRun: v.GenericSchema<DryRun> = v.strictObject({
  would: v.picklist(["drain", "join", "be refused"]),
  message: text,
  active: count,
  blockers: connections,
});

const history: v.GenericSchema<HistoryResult> = v.strictObject({ drains: v.array(pastDrain) });

const resumed: v.GenericSchema<ResumeResult> = v.strictObject({
  changed: v.boolean(),
  absorbed: v.boolean(),
  held: count,
  longestHoldSeconds: seconds,
  message: text,
});

const stayDrained: v.GenericSchema<StayDrainedResult> = v.strictObject({
  owner: v.nullable(text),
  leaseExpires: v.nullable(time),
  message: text,
});

const released: v.GenericSchema<ReleasedResult> = v.strictObject({
  state: v.picklist(["draining", "drained"]),
  active: count,
});

const upstreamView = { upstream: text, elsewhere: count, retargets: count };
const upstream: v.GenericSchema<UpstreamView> = v.strictObject(upstreamView);
const retargeted: v.GenericSchema<RetargetResult> = v.strictObject({
  ...upstreamView,
  previous: text,
});

const upgraded: v.GenericSchema<UpgradeResult> = v.strictObject({ pid: count });

const error: v.GenericSchema<ErrorBody> = v.strictObject({
  error: v.strictObject({
    code: v.picklist(Object.keys(ERRORS) as ErrorCode[]),
    message: text,
  }),
});

/** What is answered. */
export const ANSWERS = {
  endpoints: v.strictObject({
    version: text,
    endpoints: v.array(v.strictObject({ method: text, path: text, about: text })),
  }),
  status,
  connections: v.union([
    v.strictObject({ connections }),
    v.strictObject({ peers: v.array(peer) }),
  ]),
  killed: v.strictObject({ killed: count }),
  drain: v.union([progress, outcome, dryRun]),
  history,
  resumed,
  stayDrained,
  released,
  upstream,
  retargeted,
  upgraded,
  error,
};
