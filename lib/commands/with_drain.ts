import type { StayDrainedResult } from "../control/api.ts";
import { describeDuration } from "../duration.ts";
import { Failure } from "../failure.ts";
import type { ControlClient } from "../control/client.ts";
import { EXIT } from "../exit_codes.ts";
import {
  drainBody,
  type DrainOptions,
  drainOptions,
  finishedTogether,
  releaseOf,
} from "./drain.ts";
import { Interruption } from "./interruption.ts";
import { tell } from "./output.ts";
import { defaultOwner } from "./owner.ts";
import { Progress } from "./progress.ts";
import { resumeOne, waitUpstreamOption } from "./resume.ts";
import { findCommand, runCommand } from "./run_command.ts";
import { DrainTogether, inOrder } from "./together.ts";
import { aboutProxies } from "./verb.ts";
import { messageOf } from "../message_of.ts";
import { printable } from "../printable.ts";
import { shellWord } from "../shell_word.ts";

/** How much of a command is shown, in characters. */
const MOST_SHOWN = 200;

/** How long what a proxy has said of the end of its drain may take to be read, in milliseconds. */
const LAST_WORDS = 5000;

/** What the options of `with-drain` ask for. */
type WithDrainOptions = DrainOptions & {
  readonly waitUpstream?: number;
  readonly stayDrained?: boolean;
};

/** `proxyctl with-drain` */
export const withDrainVerb = aboutProxies({
  name: "with-drain",
  about: "run a command while drained, and resume whatever happens",
  define: (command) =>
    drainOptions(command)
      .addOption(waitUpstreamOption())
      .option("--stay-drained", "if the command fails: hold clients on, until the lease ends")
      .option("--owner <id>", "take over the drain that stayed for this owner")
      .argument("<command...>", "the command, best after --")
      .passThroughOptions(),
  run(proxies, command) {
    const [words] = command.processedArgs as [string[]];
    return withDrain(proxies, words, command.opts());
  },
});

/**
 * Runs a command while the proxies are drained. A drain lives as long as the connection over which it
 * was asked for, so whatever kills this ends it.
 *
 * @returns the exit code of the command; of a command that a signal ended, 128 and the signal
 */
async function withDrain(
  proxies: readonly ControlClient[],
  command: readonly string[],
  options: WithDrainOptions,
): Promise<number> {
  findCommand(command[0] ?? "");
  const { waitUpstream, stayDrained } = options;
  const owner = options.owner ?? `with-drain ${Deno.pid} (${defaultOwner()})`;
  const reason = options.reason ?? printable(command.join(" ")).slice(0, MOST_SHOWN);
  const body = drainBody({
    ...options,
    reason,
    owner,
    exclusive: true,
    // Not said without need: a proxy of an earlier version does not know it.
    ...(options.owner !== undefined && { takeOver: true }),
    attached: true,
  });
  const ordered = await inOrder(proxies);
  const release = releaseOf({ ...options, owner }, ordered);
  const interruption = new Interruption(ordered);
  const parts = { proxies: ordered, body, release, interruption };
  const together = await DrainTogether.begin(parts);
  const failed = await untilDrained(together, options, written(command).slice(0, MOST_SHOWN));
  if (failed !== null) return failed;
  const running = runCommand(command).catch((error: unknown) => {
    tell(`proxyctl: ${messageOf(error)}`);
    return error instanceof Failure ? error.exitCode : EXIT.unexpected;
  });
  // Not before: from here on the command decides what a signal means.
  interruption[Symbol.dispose]();
  const code = await running;
  const early = together.over;
  const isParked = early !== undefined && await early.wasParked;
  if (code !== 0 && stayDrained) {
    await stay(together, owner, command, `The command failed with exit code ${code}`);
    return code;
  }
  // Also if it is over: a proxy that was restarted meanwhile is drained again, with nobody who
  // would end that. The owner is nobody else's.
  const resumed = await resumeAll(together, owner, waitUpstream);
  if (resumed === "no answer") {
    if (stayDrained) await stay(together, owner, command, "The upstream does not answer");
    else await resumeAll(together, owner);
    return code === 0 ? EXIT.upstream : code;
  }
  // If that changed nothing it was over before, though that may still be to be read.
  const isLate = early === undefined && resumed === "unchanged";
  const over = isLate ? await together.untilOver(LAST_WORDS) : early;
  if (over === undefined || isParked && resumed === "resumed") return code;
  const why = over.outcome?.message ?? over.failure?.message;
  tell(`proxyctl: The drain ended while the command was still running: ${why}`);
  return code === 0 ? EXIT.ended : code;
}

/** A command as it could be pasted. */
function written(command: readonly string[]): string {
  return command.map(shellWord).join(" ");
}

/** Leaves the drain as it is, and tells how to go on. @param why that is */
async function stay(
  { parts }: DrainTogether,
  owner: string,
  command: readonly string[],
  why: string,
): Promise<void> {
  const who = shellWord(owner);
  const said = await Promise.all(parts.map(async ({ proxy }) => {
    const name = parts.length === 1 ? "" : `${proxy.directory}: `;
    try {
      const path = "/v1/stay-drained";
      const { message } = await proxy.json<StayDrainedResult>("POST", path, { owner });
      return `${name}${message}`;
    } catch (error) {
      return `${name}Failed to have the proxy stay drained: ${messageOf(error)}`;
    }
  }));
  tell([
    `proxyctl: ${why}. ${said.join("; ")}`,
    `  to try again: proxyctl with-drain --owner ${who} -- ${written(command)}`,
    `  to give up: proxyctl resume --owner ${who}`,
  ].join("\n"));
}

/** @returns `null` once all are drained, else the exit code */
async function untilDrained(
  together: DrainTogether,
  options: Pick<DrainOptions, "timeout">,
  command: string,
): Promise<number | null> {
  const failed = await together.untilDecided(new Progress(options.timeout));
  if (failed !== null) return finishedTogether(together, failed, false);
  const { waitedSeconds } = together.progress;
  const when = together.joined
    ? "Already drained"
    : `Drained after ${describeDuration(waitedSeconds * 1000)}`;
  tell(`${when}, running ${command}`);
  return null;
}

/** @returns what that has come to; `no answer` if an upstream gave none in time */
async function resumeAll(
  { parts }: DrainTogether,
  owner: string,
  waitUpstream?: number,
): Promise<"resumed" | "unchanged" | "failed" | "no answer"> {
  const name = (proxy: ControlClient) => parts.length === 1 ? "" : `${proxy.directory}: `;
  const results = await Promise.all(parts.map(async ({ proxy }) => {
    try {
      const { changed, message } = await resumeOne(proxy, {
        owner,
        ...(waitUpstream !== undefined && { waitUpstream }),
      });
      if (changed) tell(`${name(proxy)}${message}`);
      return changed ? "resumed" : "unchanged";
    } catch (error) {
      if (error instanceof Failure && error.exitCode === EXIT.upstream) {
        tell(`proxyctl: ${name(proxy)}${error.message}`);
        return "no answer";
      }
      // Ending the connection ends the drain just as well.
      tell(`proxyctl: ${name(proxy)}Failed to resume: ${messageOf(error)}`);
      return "failed";
    }
  }));
  return (["no answer", "failed", "unchanged"] as const).find((one) => results.includes(one)) ??
    "resumed";
}
