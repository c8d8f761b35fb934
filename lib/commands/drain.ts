import type { Command } from "commander";
import { durationOption, usageError, value } from "../command_line.ts";
import type { DrainOutcome, DrainProgress, DryRun, ResumeResult } from "../control/api.ts";
import { Failure } from "../failure.ts";
import type { ControlClient } from "../control/client.ts";
import { EXIT } from "../exit_codes.ts";
import { OUTCOMES } from "../drain/outcomes.ts";
import type { DrainBody, DrainRequest } from "../drain/request.ts";
import { formatDuration, parseFiniteDuration, parseQuiet } from "../duration.ts";
import { messageOf } from "../message_of.ts";
import { failed } from "./failure_json.ts";
import { hintFor } from "./hint.ts";
import { Interruption } from "./interruption.ts";
import { connectionTable, print, printResult, tell, widthOf } from "./output.ts";
import { owned, ownerOption } from "./owner.ts";
import { Progress } from "./progress.ts";
import { Release } from "./release.ts";
import { DrainTogether, goneDuringDrain, inOrder, tellNotice } from "./together.ts";
import { aboutProxies, json } from "./verb.ts";

/** What the options of `drain` and of `with-drain` ask for; what is not given is not asked for. */
export type DrainOptions =
  & Pick<DrainRequest, "timeout" | "lease">
  & Partial<Omit<DrainRequest, "release">>
  & {
    /** What has the service let its clients go. */
    readonly release?: string;
    readonly dryRun?: boolean;
    readonly json?: boolean;
  };

/** `proxyctl drain` */
export const drainVerb = aboutProxies({
  name: "drain",
  about: "hold new connections and wait until none is active",
  define: (command) =>
    drainOptions(json(command))
      .addOption(ownerOption())
      .option("--exclusive", "do not share a drain, even with the same owner")
      .option("--no-wait", "do not wait; the drain goes on by itself")
      .option("--dry-run", "only tell what would be done"),
  async run(proxies, command) {
    const options = owned(command.opts<DrainOptions & { wait: boolean }>());
    if (options.release !== undefined && !options.wait) {
      throw usageError("--release cannot be used with --no-wait: nobody would run the command");
    }
    const ordered = await inOrder(proxies);
    const [only] = ordered;
    return only !== undefined && ordered.length === 1
      ? await drain(only, options)
      : await drainSeveral(ordered, options);
  },
});

/** Adds the options that `drain` and `with-drain` have both. */
export function drainOptions(command: Command): Command {
  durationOption(command, "--timeout <duration>", "how long it may take to become drained", "60s");
  durationOption(command, "--lease <duration>", "how long it may then stay drained", "1h");
  durationOption(
    command,
    "--suspend-quiet <duration>",
    "do not wait for connections that are quiet for that long, but keep their clients for the " +
      "service that comes next. Meanwhile answers come later by that much. Only for a service that " +
      "keeps nothing per connection, and never speaks unasked: clients that only listen would wait " +
      "in vain (default: as the proxy was told)",
    null,
    parseQuiet,
  );
  durationOption(
    command,
    "--close-ended <duration>",
    "close what the service has ended once its client is silent for that long (default: 1s)",
    null,
  );
  return command
    .option("--reason <text>", "why, for those who come across the drain")
    .option(
      "--close-idle <duration>",
      "cut connections without a byte for that long",
      value(parseFiniteDuration),
    )
    .option("--close-remaining", "cut what is left when the timeout is over, instead of failing")
    .option(
      "--release <command>",
      "have the service itself let its clients go: run this by /bin/sh, here, once new ones are " +
        "held and quiet ones suspended; then what is left when the timeout is over is cut. If it " +
        "fails, the drain is cancelled",
    );
}

/** @returns the exit code */
async function drain(
  proxy: ControlClient,
  options: DrainOptions & Pick<DrainRequest, "owner" | "wait">,
): Promise<number> {
  const { owner, wait, dryRun, json } = options;
  const body = drainBody(options);
  if (dryRun) {
    const result = await proxy.json<DryRun>("POST", "/v1/drain", body);
    const exit = result.would === "be refused" ? EXIT.held : EXIT.done;
    const error = exit === EXIT.done ? {} : failed(exit, result.message);
    const text = [result.message, ...blockerLines(result)].join("\n");
    printResult(json, { ...error, ...result }, text);
    return exit;
  }
  const release = releaseOf(options, [proxy]);
  const progress = new Progress(options.timeout);
  let first: DrainProgress | DrainOutcome | null = null;
  let last: DrainProgress | null = null;
  /** Tells the result. A drain of which nobody knows would only keep clients waiting. */
  const tellResult = async (print: () => number) => {
    progress.clear();
    try {
      return print();
    } catch (error) {
      if (first?.joined !== false) throw error;
      throw await cancelled(proxy, owner, error);
    }
  };
  using interruption = new Interruption([proxy]);
  try {
    for await (const line of proxy.drain(body, interruption.signal)) {
      if (first === null) tellNotice(line);
      first ??= line;
      if ("outcome" in line) {
        await release?.outcome(line);
        return await tellResult(() => finished(line, json));
      }
      last = line;
      release?.holds(proxy, line);
      if (wait) progress.show(line);
    }
  } catch (error) {
    // A release that was ended by the same Ctrl-C is no failure of its own.
    if (!interruption.isHeard) throw error;
    progress.clear();
    release?.abandon();
    return await interruption.end();
  }
  if (wait || last === null) throw goneDuringDrain(proxy);
  const text = last.state === "drained"
    ? "Drained"
    : `Draining, ${last.active} active; not waiting for it`;
  return await tellResult(() => {
    printResult(json, last, text);
    return EXIT.done;
  });
}

/** @returns the exit code */
async function drainSeveral(
  proxies: readonly ControlClient[],
  options: DrainOptions & Pick<DrainRequest, "owner" | "wait">,
): Promise<number> {
  const { dryRun, json, wait } = options;
  if (dryRun) {
    const exits = [];
    for (const proxy of proxies) {
      if (!json) print(`${proxy.directory}:`);
      exits.push(await drain(proxy, options));
    }
    return exits.find((exit) => exit !== EXIT.done) ?? EXIT.done;
  }
  const release = releaseOf(options, proxies);
  using interruption = new Interruption(proxies);
  const parts = { proxies, body: drainBody(options), release, interruption };
  const together = await DrainTogether.begin(parts);
  const failed = wait ? await together.untilDecided(new Progress(options.timeout)) : null;
  if (failed !== null) return finishedTogether(together, failed, json);
  const results = together.parts.map(({ proxy, outcome, last }) => ({
    proxy: proxy.directory,
    ...(outcome ?? last),
  }));
  const lines = together.parts.map(({ proxy, outcome, last }) => {
    const now = last?.state === "drained" ? "Drained" : `Draining, ${last?.active} active`;
    return `${proxy.directory}: ${outcome?.message ?? now}`;
  });
  try {
    const outcome = wait ? { outcome: "drained" } : {};
    printResult(json, { ...outcome, proxies: results }, lines.join("\n"));
    return EXIT.done;
  } catch (error) {
    // A drain of which nobody knows would only keep clients waiting.
    await together.cancel();
    throw error;
  }
}

/** Tells that one has failed, and so none is drained. @returns the exit code */
export function finishedTogether(
  { parts }: DrainTogether,
  { proxy, outcome, failure }: DrainTogether["parts"][number],
  json: boolean | undefined,
): number {
  const isOne = parts.length === 1;
  if (!isOne) tell("One has failed, so the others were resumed");
  if (outcome === null) throw failure;
  const message = isOne ? outcome.message : `${proxy.directory}: ${outcome.message}`;
  return finished({ ...outcome, message }, json);
}

/** What has the service let its clients go; `null` if nothing is asked to. */
export function releaseOf(
  { release, owner, timeout }: DrainOptions & Pick<DrainRequest, "owner">,
  proxies: readonly ControlClient[],
): Release | null {
  return release === undefined ? null : new Release({ command: release, owner, timeout, proxies });
}

/** Ends a drain that was begun in vain. @returns what is to be told of it, and why that was */
async function cancelled(proxy: ControlClient, owner: string, cause: unknown): Promise<Failure> {
  const why = messageOf(cause);
  try {
    const { message } = await proxy.json<ResumeResult>("POST", "/v1/resume", { owner });
    return new Failure(`${why}. The drain was cancelled: ${message}`);
  } catch (error) {
    return new Failure(`${why}. The drain could not be cancelled: ${messageOf(error)}`);
  }
}

/** The request that these options ask for, as it is written: JSON leaves out what is undefined. */
export function drainBody(options: DrainOptions & Pick<DrainRequest, "owner">): DrainBody {
  const { timeout, lease, closeIdle, suspendQuiet, closeEnded } = options;
  return {
    owner: options.owner,
    reason: options.reason,
    timeout: formatDuration(timeout),
    lease: formatDuration(lease),
    exclusive: options.exclusive,
    takeOver: options.takeOver,
    wait: options.wait,
    attached: options.attached,
    closeIdle: closeIdle === undefined ? undefined : formatDuration(closeIdle),
    closeRemaining: options.closeRemaining,
    suspendQuiet: suspendQuiet === undefined ? undefined : formatDuration(suspendQuiet),
    closeEnded: closeEnded === undefined ? undefined : formatDuration(closeEnded),
    release: options.release === undefined ? undefined : true,
    dryRun: options.dryRun,
  } satisfies Record<keyof DrainBody, unknown>;
}

/** Tells how a drain turned out. @returns the exit code */
export function finished(outcome: DrainOutcome, json: boolean | undefined): number {
  const { exit } = OUTCOMES[outcome.outcome];
  const error = exit === EXIT.done ? {} : failed(exit, outcome.message);
  if (json) print(JSON.stringify({ ...error, ...outcome }));
  else if (outcome.outcome === "drained") print(outcome.message);
  else {
    const hint = outcome.outcome === "deadline" ? hintFor(outcome) : null;
    const lines = [...blockerLines(outcome), ...hint === null ? [] : [hint]];
    tell([`proxyctl: ${outcome.message}`, ...lines].join("\n"));
  }
  return exit;
}

function blockerLines({ active, blockers }: Pick<DrainOutcome, "active" | "blockers">): string[] {
  if (blockers.length === 0) return [];
  const more = active > blockers.length ? [`and ${active - blockers.length} more`] : [];
  return [
    "Active connections:",
    connectionTable(blockers, undefined, widthOf(Deno.stderr)),
    ...more,
  ];
}
