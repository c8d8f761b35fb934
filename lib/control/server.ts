/**
 * The server on the control socket.
 *
 * @module
 */

import { formatAddress } from "../address.ts";
import type { Drain } from "../drain.ts";
import { DrainRefused } from "../drain/types.ts";
import type { Waiter } from "../drain/waiter.ts";
import type { Relay } from "../relay/relay.ts";
import {
  ERROR_STATUS,
  type ErrorBody,
  type ErrorCode,
  REQUESTS,
  type ResumeResult,
  seconds,
  type Status,
  type UpgradeResult,
  viewConnection,
} from "./api.ts";
import { ApiError } from "./api_error.ts";
import { readBody, readJson, validate } from "./body.ts";
import { drainStream, dryRun } from "./drain_stream.ts";

/** What the control socket controls. */
export interface Controlled {
  readonly relay: Pick<Relay, "active" | "queued" | "upstream" | "connections" | "close">;
  readonly drain: Drain;
  status(): Status;
  /** The metrics as Prometheus text, and its content type. */
  metrics(): Promise<{ text: string; contentType: string }>;
  /** Whether the upstream answers within so many milliseconds. */
  upstreamAnswers(timeout: number): Promise<boolean>;
  /**
   * Has a new process take over.
   *
   * @returns its pid
   * @throws {ApiError} saying why none has
   */
  upgrade(): Promise<number>;
}

type Handler = (
  controlled: Controlled,
  request: Request,
  parameter: string,
) => Response | Promise<Response>;

/** Every endpoint; `{}` stands for the parameter. */
const ENDPOINTS: Record<string, Record<string, Handler>> = {
  "/v1/status": { GET: (controlled) => Response.json(controlled.status()) },
  "/v1/connections": {
    GET: ({ relay }) => Response.json({ connections: relay.connections().map(viewConnection) }),
  },
  "/v1/connections/{}": { DELETE: kill },
  "/v1/drain": { POST: drain },
  "/v1/resume": { POST: resume },
  "/v1/upstream": { PUT: retarget },
  "/v1/upgrade": { POST: upgrade },
  "/metrics": { GET: metrics },
  "/healthz": { GET: () => new Response("ok\n") },
};

/**
 * Makes the handler of the control socket's requests.
 *
 * @param failed is told of errors that nobody expected
 */
export function controlHandler(
  controlled: Controlled,
  failed: (error: unknown) => void,
): (request: Request) => Promise<Response> {
  return async (request) => {
    try {
      const { handler, parameter } = route(request);
      // Whatever it is about, it may be another process's in a moment.
      while (controlled.drain.frozen !== null) await controlled.drain.frozen;
      return await handler(controlled, request, parameter);
    } catch (error) {
      if (error instanceof ApiError || error instanceof DrainRefused) {
        return errorResponse(error.code, error.message);
      }
      failed(error);
      return errorResponse("internal", "Failed to serve the request; the proxy's log says why");
    }
  };
}

function route(request: Request): { handler: Handler; parameter: string } {
  const pathname = URL.parse(request.url)?.pathname;
  if (pathname === undefined) throw new ApiError("bad_request", "The request has no valid URL");
  const last = pathname.lastIndexOf("/");
  const pattern = pathname in ENDPOINTS ? pathname : `${pathname.slice(0, last)}/{}`;
  const methods = Object.hasOwn(ENDPOINTS, pattern) ? ENDPOINTS[pattern] : undefined;
  if (methods === undefined) {
    const known = Object.keys(ENDPOINTS).join(" ").replace("{}", "ID");
    throw new ApiError("not_found", `There is no ${pathname} here; there is: ${known}`);
  }
  // HEAD is answered like GET; the body is left out by the server.
  const method = request.method === "HEAD" ? "GET" : request.method;
  const handler = Object.hasOwn(methods, method) ? methods[method] : undefined;
  if (handler === undefined) {
    const allowed = Object.keys(methods).join();
    throw new ApiError("method_not_allowed", `${pathname} takes ${allowed}, not ${request.method}`);
  }
  return { handler, parameter: pathname.slice(last + 1) };
}

function kill({ relay }: Controlled, _request: Request, parameter: string): Response {
  if (!/^\d{1,15}$/.test(parameter) || !relay.close(Number(parameter), "killed")) {
    throw new ApiError("no_such_connection", `There is no connection ${parameter}`);
  }
  return Response.json({ killed: Number(parameter) });
}

async function drain(controlled: Controlled, request: Request): Promise<Response> {
  const json = await readJson(request);
  if (typeof json === "object" && json !== null && "waiter" in json) {
    const { waiter } = validate(json, REQUESTS.return);
    return streamed(controlled, await controlled.drain.comeBack(waiter));
  }
  const { dryRun: dry, ...asked } = validate(json, REQUESTS.drain);
  if (dry) return Response.json(dryRun(controlled, asked));
  const waiter = await controlled.drain.drain(asked).catch((error: unknown) => {
    if (!(error instanceof DrainRefused)) throw error;
    return error;
  });
  if (waiter instanceof DrainRefused) {
    // A refusal is an outcome as well, for clients that read nothing but those.
    const outcome = { outcome: "refused", message: waiter.message };
    return errorResponse(waiter.code, waiter.message, outcome);
  }
  return streamed(controlled, waiter);
}

function streamed(controlled: Controlled, waiter: Waiter): Response {
  return new Response(drainStream(controlled, waiter), {
    headers: { "content-type": "application/x-ndjson" },
  });
}

async function resume(controlled: Controlled, request: Request): Promise<Response> {
  const { owner, force, waitUpstream } = await readBody(request, REQUESTS.resume);
  if (waitUpstream !== null && controlled.drain.status.state !== "open") {
    controlled.drain.checkResume(owner, force);
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
  return Response.json(result);
}

async function retarget(controlled: Controlled, request: Request): Promise<Response> {
  const { upstream } = await readBody(request, REQUESTS.upstream);
  const previous = formatAddress(controlled.relay.upstream);
  await controlled.drain.retarget(upstream);
  return Response.json({ upstream: formatAddress(upstream), previous });
}

async function upgrade(controlled: Controlled, request: Request): Promise<Response> {
  await readBody(request, REQUESTS.upgrade);
  const result: UpgradeResult = { pid: await controlled.upgrade() };
  return Response.json(result);
}

async function metrics(controlled: Controlled): Promise<Response> {
  const { text, contentType } = await controlled.metrics();
  return new Response(text, { headers: { "content-type": contentType } });
}

function errorResponse(code: ErrorCode, message: string, more: object = {}): Response {
  const error: ErrorBody = { error: { code, message } };
  const headers = { ...(code === "moved" && { "retry-after": "0" }) };
  return Response.json({ ...more, ...error }, { status: ERROR_STATUS[code], headers });
}
