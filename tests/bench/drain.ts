/**
 * Drains and resumes a proxy of ours over its control socket, without a proxyctl whose start would
 * be measured as well.
 *
 * @module
 */

import { Failure } from "../../lib/failure.ts";
import type { ResumeBody, Status } from "../../lib/control/api.ts";
import type { DrainBody } from "../../lib/drain/request.ts";
import { controlRequest } from "../support/control_request.ts";
import { until } from "../support/until.ts";
import { CONTROL_SOCKET } from "./contenders/ours.ts";
import type { Standing } from "./standing.ts";

const OWNER = "bench";

/** Drains it. `begun` is once it holds new connections, `done` once it is drained. */
export function drain(proxy: Standing): { begun: Promise<void>; done: Promise<void> } {
  const done = ask(proxy, "POST", "/v1/drain", { owner: OWNER } satisfies DrainBody)
    .then((text) => {
      if (!text.includes(`"outcome":"drained"`)) throw new Failure(`Not drained: ${text}`);
    });
  const holding = until(() => status(proxy), ({ state }) => state !== "open");
  // A drain that fails never begins.
  const begun = Promise.race([holding, done]).then(() => {});
  // Not both are waited for.
  for (const promise of [holding, begun, done]) promise.catch(() => {});
  return { begun, done };
}

/** Resumes it. */
export async function resume(proxy: Standing): Promise<void> {
  await ask(proxy, "POST", "/v1/resume", { owner: OWNER } satisfies ResumeBody);
}

/** Waits until it holds so many clients. */
export async function untilQueued(proxy: Standing, clients: number): Promise<void> {
  await until(() => status(proxy), ({ queued }) => queued === clients);
}

/** Waits until it has so many active connections. */
export async function untilActive(proxy: Standing, connections: number): Promise<void> {
  await until(() => status(proxy), ({ active }) => active === connections);
}

async function status(proxy: Standing): Promise<Status> {
  return JSON.parse(await ask(proxy, "GET", "/v1/status"));
}

/** Asks it something. @throws {Failure} with what it says instead of an answer */
export async function ask(
  { place: { directory } }: Standing,
  method: string,
  path: string,
  body: object | "" = "",
): Promise<string> {
  const answer = await controlRequest(`${directory}/${CONTROL_SOCKET}`, method, path, body);
  if (answer.status !== 200) throw new Failure(`${method} ${path}: ${answer.text}`);
  return answer.text;
}
