import { Failure } from "../command_line.ts";
import type { ResumeResult } from "../control/api.ts";
import type { ControlClient } from "../control/client.ts";
import { EXIT } from "../control/exit_codes.ts";
import { printResult, tell } from "./output.ts";

/** How long the proxy is asked to wait for its upstream in one request, in milliseconds. */
const SLICE = 2000;

/** `proxyctl resume` */
export async function resume(
  proxy: ControlClient,
  options: { owner: string; force?: boolean; waitUpstream?: number; json?: boolean },
): Promise<void> {
  const { owner, force = false, waitUpstream } = options;
  const result = waitUpstream === undefined
    ? await proxy.json<ResumeResult>("POST", "/v1/resume", { owner, force })
    : await whenUpstreamAnswers(proxy, { owner, force }, waitUpstream);
  printResult(options.json, result, result.message);
}

/** Asks in slices, so that a proxy that hangs is noticed however long the wait is. */
async function whenUpstreamAnswers(
  proxy: ControlClient,
  body: { owner: string; force: boolean },
  timeout: number,
): Promise<ResumeResult> {
  const deadline = performance.now() + timeout;
  for (let first = true;; first = false) {
    const slice = Math.max(0, Math.min(SLICE, Math.round(deadline - performance.now())));
    try {
      const waitUpstream = `${slice}ms`;
      return await proxy.json("POST", "/v1/resume", { ...body, waitUpstream }, slice);
    } catch (error) {
      const unreachable = error instanceof Failure && error.exitCode === EXIT.upstream;
      if (!unreachable || performance.now() >= deadline) throw error;
      if (first) tell("Waiting for the upstream to answer");
    }
  }
}
