import { Option } from "commander";
import { value } from "../command_line.ts";
import { parseFiniteDuration } from "../duration.ts";
import { Failure } from "../failure.ts";
import type { ResumeResult } from "../control/api.ts";
import type { ControlClient } from "../control/client.ts";
import { EXIT } from "../exit_codes.ts";
import { printResult, tell } from "./output.ts";
import { owned, ownerOption } from "./owner.ts";
import { failureJson } from "./failure_json.ts";
import { namedFailure } from "./together.ts";
import { aboutProxies, json } from "./verb.ts";

/** How long the proxy is asked to wait for its upstream in one request, in milliseconds. */
const SLICE = 2000;

/** `proxyctl resume` */
export const resumeVerb = aboutProxies({
  name: "resume",
  about: "serve those who wait, and all who come",
  define: (command) =>
    json(command)
      .addOption(ownerOption())
      .option("--force", "even if another owner holds the drain")
      .addOption(waitUpstreamOption()),
  run: (proxies, command) => resume(proxies, owned(command.opts())),
});

interface ResumeOptions {
  readonly owner: string;
  readonly force?: boolean;
  readonly waitUpstream?: number;
  readonly json?: boolean;
}

/** @returns the exit code: that of the first that could not be resumed, if there is one */
async function resume(
  proxies: readonly ControlClient[],
  options: ResumeOptions,
): Promise<number> {
  const [only] = proxies;
  if (only !== undefined && proxies.length === 1) {
    const result = await resumeOne(only, options).catch(advise);
    printResult(options.json, result, result.message);
    return EXIT.done;
  }
  let exitCode: number = EXIT.done;
  const results = await Promise.all(proxies.map(async (proxy) => {
    const name = { proxy: proxy.directory };
    try {
      return { ...name, ...await resumeOne(proxy, options) };
    } catch (error) {
      const failure = namedFailure(proxy, error);
      exitCode ||= failure.exitCode;
      tell(`proxyctl: ${failure.message}`);
      return { ...name, ...failureJson(failure) };
    }
  }));
  const [failed] = results.filter((one) => "error" in one);
  const lines = results.flatMap((one) => "message" in one ? [`${one.proxy}: ${one.message}`] : []);
  printResult(
    options.json,
    { ...(failed && { error: failed.error }), proxies: results },
    lines.join("\n"),
  );
  return exitCode;
}

/** @throws with what to do as well, where nothing else follows */
function advise(error: unknown): never {
  if (!(error instanceof Failure) || error.exitCode !== EXIT.upstream) throw error;
  throw new Failure(
    `${error.message}: start the service and resume again, or resume without --wait-upstream`,
    EXIT.upstream,
    { cause: error },
  );
}

/** @throws {Failure} when it is not open then */
export async function resumeOne(
  proxy: ControlClient,
  { owner, force = false, waitUpstream }: ResumeOptions,
): Promise<ResumeResult> {
  return waitUpstream === undefined
    ? await proxy.json<ResumeResult>("POST", "/v1/resume", { owner, force })
    : await whenUpstreamAnswers(proxy, { owner, force }, waitUpstream);
}

/** The option to wait for the upstream before anybody is served. */
export function waitUpstreamOption(): Option {
  return new Option("--wait-upstream <duration>", "first wait until the upstream answers")
    .argParser(value(parseFiniteDuration));
}

/**
 * Resumes once the upstream answers.
 *
 * Asks in slices, so that a proxy that hangs is noticed however long the wait is.
 *
 * @throws {Failure} with {@linkcode EXIT}`.upstream` when it does not within so many milliseconds
 */
export async function whenUpstreamAnswers(
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
