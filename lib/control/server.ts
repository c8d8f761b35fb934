/**
 * The server on the control socket.
 *
 * @module
 */

import { formatAddress } from "../address.ts";
import { DrainRefused } from "../drain/types.ts";
import type { Waiter } from "../drain/waiter.ts";
import {
  connectionsQuery,
  type HistoryResult,
  isoTime,
  type ReleasedResult,
  REQUESTS,
  type ResumeResult,
  type RetargetResult,
  seconds,
  type StayDrainedResult,
  type UpgradeResult,
  type UpstreamView,
} from "./api.ts";
import { ApiError } from "./errors.ts";
import { readBody, readJson, validate } from "./body.ts";
import type { Controlled } from "./controlled.ts";
import { all, byPeer, sorted, tellConnections } from "./connection_list.ts";
import { dryRun, tellDrain } from "./drain_stream.ts";
import { endpointList } from "./endpoints.ts";
import {
  type ControlAnswer,
  type ControlRequest,
  errorAnswer,
  type Handler,
  jsonAnswer,
  textAnswer,
} from "./http/messages.ts";
import { VERSION } from "../version.ts";

type Endpoint = (
  controlled: Controlled,
  request: ControlRequest,
  parameter: string,
) => ControlAnswer | Promise<ControlAnswer>;

/** What answers at every endpoint (see endpoints.ts); `{}` stands for the parameter. */
const SERVED: Record<string, Record<string, Endpoint>> = {
  "/": { GET: () => jsonAnswer({ version: VERSION, endpoints: endpointList() }) },
  "/v1/status": { GET: (controlled) => jsonAnswer(controlled.status()) },
  "/v1/history": { GET: history },
  "/v1/connections": { GET: listConnections },
  "/v1/connections/{}": { DELETE: kill },
  "/v1/drain": { POST: drain },
  "/v1/resume": { POST: resume },
  "/v1/stay-drained": { POST: stayDrained },
  "/v1/released": { POST: released },
  "/v1/upstream": { GET: upstream, PUT: retarget },
  "/v1/upgrade": { POST: upgrade },
  "/v1/openapi.json": { GET: describe },
  "/metrics": { GET: metrics },
  "/healthz": { GET: () => textAnswer("ok\n") },
};

/**
 * Makes the handler of the control socket's requests.
 *
 * @param failed is told of errors that nobody expected
 */
export function controlHandler(
  controlled: Controlled,
  failed: (error: unknown) => void,
): Handler {
  return async (request) => {
    try {
      const { endpoint, parameter } = route(request);
      // Whatever it is about, it may be another process's in a moment.
      while (controlled.drain.frozen !== null) await controlled.drain.frozen;
      return await endpoint(controlled, request, parameter);
    } catch (error) {
      if (error instanceof ApiError || error instanceof DrainRefused) {
        return errorAnswer(error.code, error.message);
      }
      failed(error);
      return errorAnswer("internal", "Failed to serve the request; the proxy's log says why");
    }
  };
}

function route({ method, path }: ControlRequest): { endpoint: Endpoint; parameter: string } {
  const last = path.lastIndexOf("/");
  const pattern = path in SERVED ? path : `${path.slice(0, last)}/{}`;
  const methods = Object.hasOwn(SERVED, pattern) ? SERVED[pattern] : undefined;
  if (methods === undefined) {
    const known = Object.keys(SERVED).join(" ").replace("{}", "ID");
    throw new ApiError("not_found", `There is no ${path} here; there is: ${known}`);
  }
  // HEAD is answered like GET; the body is left out by the server.
  const verb = method === "HEAD" ? "GET" : method;
  const endpoint = Object.hasOwn(methods, verb) ? methods[verb] : undefined;
  if (endpoint === undefined) {
    const allowed = Object.keys(methods).join();
    throw new ApiError("method_not_allowed", `${path} takes ${allowed}, not ${method}`);
  }
  return { endpoint, parameter: path.slice(last + 1) };
}

async function listConnections(
  { relay }: Controlled,
  { query }: ControlRequest,
): Promise<ControlAnswer> {
  const { sort, limit, group } = validate(Object.fromEntries(query), connectionsQuery);
  if (group !== undefined) return jsonAnswer({ peers: await byPeer(all(relay), limit) });
  const listed = sort === undefined ? all(relay, limit) : await sorted(relay, sort, limit);
  return {
    status: 200,
    headers: { "content-type": "application/json" },
    body: (listener) => tellConnections(listed, listener),
  };
}

function kill({ relay }: Controlled, _request: ControlRequest, parameter: string): ControlAnswer {
  if (!/^\d{1,15}$/.test(parameter) || !relay.close(Number(parameter), "killed")) {
    throw new ApiError("no_such_connection", `There is no connection ${parameter}`);
  }
  return jsonAnswer({ killed: Number(parameter) });
}

async function drain(controlled: Controlled, request: ControlRequest): Promise<ControlAnswer> {
  const json = readJson(request);
  if (typeof json === "object" && json !== null && "waiter" in json) {
    const { waiter } = validate(json, REQUESTS.return);
    return streamed(controlled, await controlled.drain.comeBack(waiter));
  }
  const { dryRun: dry, ...asked } = validate(json, REQUESTS.drain);
  if (dry) return jsonAnswer(dryRun(controlled, asked));
  const waiter = await controlled.drain.drain(asked).catch((error: unknown) => {
    if (!(error instanceof DrainRefused)) throw error;
    return error;
  });
  if (waiter instanceof DrainRefused) {
    // A refusal is an outcome as well, for clients that read nothing but those.
    const outcome = { outcome: "refused", message: waiter.message };
    return errorAnswer(waiter.code, waiter.message, outcome);
  }
  return streamed(controlled, waiter);
}

function streamed(controlled: Controlled, waiter: Waiter): ControlAnswer {
  return {
    status: 200,
    headers: { "content-type": "application/x-ndjson" },
    body: (listener) => tellDrain(controlled, waiter, listener),
  };
}

async function resume(controlled: Controlled, request: ControlRequest): Promise<ControlAnswer> {
  const { owner, force, waitUpstream } = readBody(request, REQUESTS.resume);
  // Who opens nothing need not wait: the service may be down because of somebody else's deployment.
  if (waitUpstream !== null && controlled.drain.wouldOpen(owner, force)) {
    if (!await controlled.upstreamAnswers(waitUpstream)) {
      const upstream = formatAddress(controlled.relay.upstream);
      const { state } = controlled.drain.status;
      throw new ApiError(
        "upstream_unreachable",
        `The upstream ${upstream} does not answer; the proxy is ${state}`,
      );
    }
  }
  const { longest, ...resumed } = await controlled.drain.resume(owner, force);
  const result: ResumeResult = { ...resumed, longestHoldSeconds: seconds(longest) };
  return jsonAnswer(result);
}

async function stayDrained(
  { drain }: Controlled,
  request: ControlRequest,
): Promise<ControlAnswer> {
  const { owner } = readBody(request, REQUESTS.stayDrained);
  const { status: { leaseExpires }, message } = await drain.stayDrained(owner);
  const result: StayDrainedResult = { owner, leaseExpires: isoTime(leaseExpires), message };
  return jsonAnswer(result);
}

function history({ drain }: Controlled): ControlAnswer {
  const result: HistoryResult = { drains: drain.history.all };
  return jsonAnswer(result);
}

async function released(
  { relay, drain }: Controlled,
  request: ControlRequest,
): Promise<ControlAnswer> {
  const { owner } = readBody(request, REQUESTS.released);
  const { state } = await drain.released(owner);
  const result: ReleasedResult = {
    state: state === "drained" ? state : "draining",
    active: relay.active,
  };
  return jsonAnswer(result);
}

function upstream(controlled: Controlled): ControlAnswer {
  return jsonAnswer(viewUpstream(controlled));
}

function viewUpstream({ relay, drain }: Controlled): UpstreamView {
  return {
    upstream: formatAddress(relay.upstream),
    elsewhere: relay.elsewhere,
    retargets: drain.retargets,
  };
}

async function retarget(controlled: Controlled, request: ControlRequest): Promise<ControlAnswer> {
  const { upstream, suspendQuiet } = readBody(request, REQUESTS.upstream);
  const why = await controlled.relay.whyUnusable(upstream);
  if (why !== null) throw new ApiError("unusable_upstream", why);
  const previous = formatAddress(controlled.relay.upstream);
  const { retargets } = await controlled.drain.retarget(upstream, suspendQuiet);
  // By now it may have been retargeted once more.
  const result: RetargetResult = {
    ...viewUpstream(controlled),
    upstream: formatAddress(upstream),
    retargets,
    previous,
  };
  return jsonAnswer(result);
}

async function upgrade(controlled: Controlled, request: ControlRequest): Promise<ControlAnswer> {
  readBody(request, REQUESTS.upgrade);
  const result: UpgradeResult = { pid: await controlled.upgrade() };
  return jsonAnswer(result);
}

async function describe(): Promise<ControlAnswer> {
  // Hardly anybody asks for it.
  const { openApi } = await import("./openapi.ts");
  return jsonAnswer(openApi());
}

async function metrics(controlled: Controlled): Promise<ControlAnswer> {
  const { text, contentType } = await controlled.metrics();
  return textAnswer(text, contentType);
}
