import { Option } from "commander";
import { value } from "../command_line.ts";
import { Failure } from "../failure.ts";
import type { Status } from "../control/api.ts";
import type { ControlClient } from "../control/client.ts";
import { EXIT } from "../exit_codes.ts";
import { describeDuration, parseFiniteDuration } from "../duration.ts";
import { parseKeeperReport } from "../keeper/report.ts";
import { PROGRAMS } from "../packaging/programs.ts";
import { whyNoEpoll } from "../linux/available.ts";
import { clockTime } from "../moment.ts";
import { describeTime, printResult } from "./output.ts";
import { aboutProxy, json } from "./verb.ts";

/** The first argument of a proxyctl that is to be a keeper. */
export const KEEP = "keep";

/** How long a keeper may take until it has everything, in milliseconds. */
const PATIENCE = 20_000;

/** `proxyctl park` */
export const parkVerb = aboutProxy({
  name: "park",
  about: "while drained: keep those who wait, so that the proxy can be stopped",
  define: (command) =>
    json(command).addOption(
      new Option("--for <duration>", "how long they are kept for the next proxy")
        .argParser(value(parseFiniteDuration)).default(parseFiniteDuration("5m"), "5m"),
    ),
  run: (proxy, command) => park(proxy, command.opts()),
});

async function park(
  proxy: ControlClient,
  options: { for: number; json?: boolean },
): Promise<void> {
  if (proxy.isElsewhere) {
    throw new Failure(
      `${proxy.directory}: a proxy is parked on its own machine: call proxyctl there`,
    );
  }
  const why = whyNoEpoll();
  if (why !== null) throw new Failure(`Failed to park the proxy at ${proxy.directory}: ${why}`);
  refuse(await proxy.json<Status>("GET", "/v1/status"));
  const report = parseKeeperReport(await startKeeper(proxy.directory, options.for));
  if (report === null) {
    throw new Failure(
      `The keeper for ${proxy.directory} ended without a word: nothing has changed`,
    );
  }
  if (!report.parked) throw new Failure(report.message, report.exitCode);
  const { keeper, queued } = report;
  const result = { keeper, until: new Date(report.until).toISOString(), queued };
  const until = clockTime(report.until, Date.now());
  const text = `Parked for ${describeDuration(options.for)} (until ${until}), ${queued} queued; ` +
    `the keeper is process ${keeper}. Stop the proxy now, and start the next`;
  printResult(options.json, result, text);
}

/** @throws {Failure} when a proxy in this state cannot be parked */
function refuse({ state, relay, keeper, parkedUntil }: Status): void {
  if (state === "parked") {
    const ends = parkedUntil === null ? "" : `, which ends ${describeTime(parkedUntil)}`;
    throw new Failure(
      `The proxy is parked already: process ${keeper} keeps those who wait${ends}`,
      EXIT.wrongState,
    );
  }
  if (relay === "portable") {
    throw new Failure(
      "The proxy cannot be parked: only the epoll relay can give its socket away",
      EXIT.wrongState,
    );
  }
  if (state !== "drained") {
    throw new Failure(
      `The proxy is ${state}, and must be drained to be parked: proxyctl drain`,
      EXIT.wrongState,
    );
  }
}

/** @returns the first line that the keeper says; empty if it says none */
async function startKeeper(directory: string, time: number): Promise<string> {
  // Not before: what it is made of can only be loaded where it can run.
  const { passNothingOn } = await import("../linux/descriptors.ts");
  passNothingOn();
  const keep = [KEEP, directory, `${time}`];
  const { standalone } = Deno.build;
  const source = ["run", "--quiet", ...PROGRAMS.proxyctl.permissions, Deno.mainModule];
  const child = new Deno.Command(Deno.execPath(), {
    args: standalone ? keep : [...source, ...keep],
    cwd: "/",
    // Deno itself looks for its cache there when it runs from source.
    clearEnv: standalone,
    stdin: "null",
    stdout: "piped",
    stderr: "null",
  }).spawn();
  child.unref();
  const timer = setTimeout(() => child.kill("SIGKILL"), PATIENCE);
  let said = "";
  for await (const piece of child.stdout.pipeThrough(new TextDecoderStream())) {
    said += piece;
    if (said.includes("\n")) break;
  }
  clearTimeout(timer);
  return said.split("\n")[0] ?? "";
}
