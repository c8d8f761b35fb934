/**
 * What a keeper answers at the control socket.
 *
 * @module
 */

import { ERROR_STATUS, type ErrorBody, type ErrorCode, type Status } from "../control/api.ts";
import { type DrainRecord, parseRecord } from "../drain/record.ts";
import { pathsIn } from "../runtime_directory.ts";
import type { Counters } from "../relay/relay.ts";
import { VERSION } from "../version.ts";

/** What a keeper knows. */
export interface Kept {
  readonly directory: string;
  /** Where the socket listens, `HOST:PORT`. */
  readonly listen: string;
  /** When it gives up, in milliseconds since the epoch. */
  readonly until: number;
  /** What the proxy had counted. */
  readonly counters: Counters;
  /** How many clients wait. */
  readonly queued: () => number;
  /** Whether a proxy has taken over, which is about to answer instead. */
  readonly hasSuccessor: () => boolean;
}

const startedAt = new Date().toISOString();

/** Answers a request: how it is; all else needs a proxy. */
export async function answer(kept: Kept, request: Request): Promise<Response> {
  if (kept.hasSuccessor()) {
    return refusal("moved", "A proxy has just taken over from the keeper: ask again");
  }
  const { pathname } = new URL(request.url);
  if (pathname === "/v1/status" && request.method === "GET") {
    return Response.json(await statusOf(kept));
  }
  return refusal(
    "parked",
    `The proxy is parked and has ended: a keeper (process ${Deno.pid}) keeps those who wait; ` +
      "start a proxy with this runtime directory, which goes on with them",
  );
}

function refusal(code: ErrorCode, message: string): Response {
  const error: ErrorBody = { error: { code, message } };
  return Response.json(error, { status: ERROR_STATUS[code] });
}

async function statusOf({ directory, listen, until, counters, queued }: Kept): Promise<Status> {
  // Not what the keeper was given: the proxy may have gone on to change it.
  const record = await readRecord(directory);
  return {
    state: "parked",
    active: 0,
    queued: queued(),
    listen,
    upstream: record?.upstream ?? record?.commandUpstream ?? "unknown",
    owner: record?.owner ?? null,
    reason: record?.reason ?? null,
    since: record?.since ?? null,
    deadline: null,
    leaseExpires: record?.leaseExpires ?? null,
    keeper: Deno.pid,
    parkedUntil: new Date(until).toISOString(),
    accepted: counters.accepted,
    bytesUp: counters.bytesUp,
    bytesDown: counters.bytesDown,
    relay: "epoll",
    threads: 0,
    pid: Deno.pid,
    version: VERSION,
    startedAt,
  };
}

async function readRecord(directory: string): Promise<DrainRecord | null> {
  try {
    return parseRecord(await Deno.readTextFile(pathsIn(directory).record));
  } catch {
    return null;
  }
}
