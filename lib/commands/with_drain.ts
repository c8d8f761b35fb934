import { constants } from "node:os";
import process from "node:process";
import type { DrainOutcome, DrainProgress, ResumeResult, Status } from "../control/api.ts";
import { Failure } from "../command_line.ts";
import type { ControlClient } from "../control/client.ts";
import { EXIT } from "../control/exit_codes.ts";
import { drainBody, type DrainOptions, finished, stopped } from "./drain.ts";
import { tell } from "./output.ts";
import { defaultOwner } from "./owner.ts";
import { Progress } from "./progress.ts";
import { messageOf } from "../message_of.ts";

/** The exit codes with which shells, env(1) and nohup(1) say that a command could not be run. */
const NOT_FOUND = 127;
const NOT_EXECUTABLE = 126;

/**
 * `proxyctl with-drain`: runs a command while the proxy is drained. The drain lives as long as the
 * connection over which it was asked for, so whatever kills this ends the drain.
 *
 * @returns the exit code of the command; of a command that a signal ended, 128 and the signal
 */
export async function withDrain(
  proxy: ControlClient,
  command: readonly string[],
  options: DrainOptions,
): Promise<number> {
  const owner = `with-drain ${Deno.pid} (${defaultOwner()})`;
  const reason = options.reason ?? command.join(" ").slice(0, 200).replaceAll(/\p{Cc}/gu, " ");
  const body = { ...drainBody({ ...options, reason }), owner, exclusive: true, attached: true };
  const lines = proxy.drain(body);
  const failed = await untilDrained(proxy, lines, options);
  if (failed !== null) return failed;
  // From here on the lines are only read to learn that the drain is over.
  const over = overBefore(proxy, lines);
  const code = await runCommand(command).catch(async (error: unknown) => {
    await resume(proxy, owner);
    throw error;
  });
  const { now: early, parked } = over;
  // Also if it is over: a proxy that was restarted meanwhile is drained again, with nobody who
  // would end that. The owner is nobody else's.
  const resumed = await resume(proxy, owner);
  if (early === null || parked && resumed) return code;
  tell(`proxyctl: The drain ended while the command was still running: ${early}`);
  return code === 0 ? EXIT.ended : code;
}

/** @returns `null` once it is drained, else the exit code */
async function untilDrained(
  proxy: ControlClient,
  lines: AsyncGenerator<DrainProgress | DrainOutcome, void>,
  options: DrainOptions,
): Promise<number | null> {
  const progress = new Progress(options.timeout);
  for (;;) {
    const { done, value: line } = await lines.next();
    if (done) throw stopped(proxy);
    if ("outcome" in line) {
      progress.clear();
      return finished(line, false);
    }
    if (line.state === "drained") {
      progress.clear();
      return null;
    }
    progress.show(line);
  }
}

/** That a drain is over, and why. */
interface Over {
  /** Why; `null` as long as it is not. */
  now: string | null;
  /** Whether the proxy has only ended, and a keeper keeps those who wait for the next one. */
  parked: boolean;
}

/** Learns in the background that the drain is over. */
function overBefore(
  proxy: ControlClient,
  lines: AsyncGenerator<DrainProgress | DrainOutcome, void>,
): Readonly<Over> {
  const over: Over = { now: null, parked: false };
  (async () => {
    for await (const line of lines) {
      if ("outcome" in line) return line.message;
    }
    throw stopped(proxy);
  })().catch(messageOf).then(async (message) => {
    over.now = message;
    over.parked = await isParked(proxy);
  });
  return over;
}

async function isParked(proxy: ControlClient): Promise<boolean> {
  const status = await proxy.json<Status>("GET", "/v1/status").catch(() => null);
  return status?.state === "parked";
}

async function runCommand([file = "", ...args]: readonly string[]): Promise<number> {
  // The command decides what these mean; when it ends, so does the drain. A terminal sends SIGINT
  // to the command as well. Listened for before there is a command: what comes just then would end
  // this alone, and the command would go on with everything resumed.
  let child: Deno.ChildProcess | undefined;
  const forward = (signal: Deno.Signal) => () => {
    try {
      child?.kill(signal);
    } catch { /* it has just ended */ }
  };
  process.on("SIGTERM", forward("SIGTERM"));
  process.on("SIGHUP", forward("SIGHUP"));
  process.on("SIGINT", () => {});
  try {
    child = new Deno.Command(file, { args, stdin: "inherit", stdout: "inherit", stderr: "inherit" })
      .spawn();
  } catch (error) {
    const found = !(error instanceof Deno.errors.NotFound);
    const what = found ? `${(error as Error).message}` : "no such command";
    throw new Failure(`Failed to run "${file}": ${what}`, found ? NOT_EXECUTABLE : NOT_FOUND);
  }
  const { code, signal } = await child.status;
  return signal === null ? code : 128 + (constants.signals[signal as NodeJS.Signals] ?? 0);
}

/** @returns whether that has ended the drain */
async function resume(proxy: ControlClient, owner: string): Promise<boolean> {
  try {
    return (await proxy.json<ResumeResult>("POST", "/v1/resume", { owner })).changed;
  } catch (error) {
    // Ending the connection ends the drain just as well.
    tell(`proxyctl: Failed to resume: ${messageOf(error)}`);
    return false;
  }
}
