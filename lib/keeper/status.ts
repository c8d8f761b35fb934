/**
 * What a keeper answers at the control socket.
 *
 * @module
 */

import {
  type ControlAnswer,
  type ControlRequest,
  errorAnswer,
  jsonAnswer,
} from "../control/http/messages.ts";
import { heldSince, type HistoryResult, type Status } from "../control/api.ts";
import { readHistory } from "../drain/history_file.ts";
import { type DrainRecord, parseRecord } from "../drain/record.ts";
import { machineId } from "../machine_id.ts";
import { pathsIn } from "../runtime_directory/paths.ts";
import { readRegularFile } from "../regular_file.ts";
import { VERSION } from "../version.ts";
import type { WaitingRoom } from "./waiting_room.ts";

/** What a keeper knows. */
export interface Kept {
  readonly directory: string;
  /** Where the socket listens, `HOST:PORT`. */
  readonly listen: string;
  /** When it gives up, in milliseconds since the epoch. */
  readonly until: number;
  /** Those who wait, and what was counted. */
  readonly room: Pick<
    WaitingRoom,
    "queued" | "suspended" | "longestHold" | "queueLimit" | "counters"
  >;
  /** Whether a proxy has taken over, which is about to answer instead. */
  readonly hasSuccessor: () => boolean;
  /** Resolves once that one is found at the control socket. */
  readonly replaced: () => Promise<void>;
}

const machine = machineId();
const startedAt = new Date().toISOString();

/** Answers a request: how it is, and what was; all else needs a proxy. */
export async function answer(kept: Kept, request: ControlRequest): Promise<ControlAnswer> {
  if (kept.hasSuccessor()) {
    await kept.replaced();
    return errorAnswer("moved", "A proxy has just taken over from the keeper: ask again");
  }
  if (["GET", "HEAD"].includes(request.method)) {
    if (request.path === "/v1/status") return jsonAnswer(await statusOf(kept));
    // The drain that the proxy was parked in is among them, since that was decided.
    if (request.path === "/v1/history") return jsonAnswer(historyOf(kept));
  }
  return errorAnswer(
    "parked",
    `The proxy is parked and has ended: a keeper (process ${Deno.pid}) keeps those who wait; ` +
      "start a proxy with this runtime directory, which goes on with them",
  );
}

function historyOf({ directory }: Kept): HistoryResult {
  return { drains: readHistory(pathsIn(directory).history) };
}

async function statusOf({ directory, listen, until, room }: Kept): Promise<Status> {
  const { counters } = room;
  // Not what the keeper was given: the proxy may have gone on to change it.
  const record = readRecord(directory);
  return {
    state: "parked",
    active: 0,
    queued: room.queued,
    suspended: room.suspended,
    heldSince: heldSince(room.longestHold),
    queueLimit: room.queueLimit,
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
    machine: await machine,
    directory: Deno.realPathSync(directory),
    lastDrain: readHistory(pathsIn(directory).history).at(-1) ?? null,
  };
}

function readRecord(directory: string): DrainRecord | null {
  try {
    return parseRecord(readRegularFile(pathsIn(directory).record));
  } catch {
    return null;
  }
}
