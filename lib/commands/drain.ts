import type { DrainBody, DrainOutcome, DrainProgress, DryRun } from "../control/api.ts";
import { Failure } from "../command_line.ts";
import type { ControlClient } from "../control/client.ts";
import { EXIT } from "../control/exit_codes.ts";
import { type Duration, formatDuration } from "../duration.ts";
import { connectionTable, print, printResult, tell } from "./output.ts";
import { Progress } from "./progress.ts";

/** The options of `drain`, those of `with-drain` among them. Durations are in milliseconds. */
export interface DrainOptions {
  readonly timeout: Duration;
  readonly lease: Duration;
  readonly reason?: string;
  readonly closeIdle?: number;
  readonly closeRemaining?: boolean;
  readonly json?: boolean;
}

const EXIT_OF: Record<DrainOutcome["outcome"], number> = {
  drained: EXIT.done,
  deadline: EXIT.deadline,
  cancelled: EXIT.ended,
  refused: EXIT.unexpected,
  ended: EXIT.ended,
  stopped: EXIT.ended,
  moved: EXIT.ended,
};

/** `proxyctl drain` @returns the exit code */
export async function drain(
  proxy: ControlClient,
  options: DrainOptions & {
    readonly owner: string;
    readonly exclusive?: boolean;
    readonly wait: boolean;
    readonly dryRun?: boolean;
  },
): Promise<number> {
  const { owner, exclusive = false, wait, json } = options;
  const body = { ...drainBody(options), owner, exclusive, wait };
  if (options.dryRun) {
    const result = await proxy.json<DryRun>("POST", "/v1/drain", { ...body, dryRun: true });
    printResult(json, result, [result.message, ...blockerLines(result)].join("\n"));
    return result.would === "be refused" ? EXIT.held : EXIT.done;
  }
  const progress = new Progress(options.timeout);
  let last: DrainProgress | null = null;
  for await (const line of proxy.drain(body)) {
    if ("outcome" in line) {
      progress.clear();
      return finished(line, json);
    }
    last = line;
    if (wait) progress.show(line);
  }
  progress.clear();
  if (wait || last === null) throw stopped(proxy);
  const text = last.state === "drained"
    ? "Drained"
    : `Draining, ${last.active} active; not waiting for it`;
  printResult(json, last, text);
  return EXIT.done;
}

/** The body of the request that these options ask for, without its owner. */
export function drainBody(options: DrainOptions): Omit<DrainBody, "owner"> {
  return {
    timeout: formatDuration(options.timeout),
    lease: formatDuration(options.lease),
    reason: options.reason ?? null,
    closeIdle: formatDuration(options.closeIdle ?? null),
    closeRemaining: options.closeRemaining ?? false,
  };
}

/** Tells how a drain turned out. @returns the exit code */
export function finished(outcome: DrainOutcome, json: boolean | undefined): number {
  if (json) print(JSON.stringify(outcome));
  else if (outcome.outcome === "drained") print(outcome.message);
  else tell(["proxyctl: " + outcome.message, ...blockerLines(outcome)].join("\n"));
  return EXIT_OF[outcome.outcome];
}

/** The failure of a drain whose proxy went away without a word. */
export function stopped(proxy: ControlClient): Failure {
  return new Failure(`The proxy at ${proxy.directory} went away during the drain`, EXIT.ended);
}

function blockerLines({ active, blockers }: Pick<DrainOutcome, "active" | "blockers">): string[] {
  if (blockers.length === 0) return [];
  const more = active > blockers.length ? [`and ${active - blockers.length} more`] : [];
  return ["Active connections:", connectionTable(blockers), ...more];
}
