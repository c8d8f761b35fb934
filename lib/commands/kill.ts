import type { Command } from "commander";
import { value, wholeNumber } from "../command_line.ts";
import type { ControlClient } from "../control/client.ts";
import { Refusal } from "../control/failures.ts";
import { parseFiniteDuration } from "../duration.ts";
import { EXIT } from "../exit_codes.ts";
import { Failure } from "../failure.ts";
import type { Network } from "../network.ts";
import { connectionsOf, peerOption } from "./connections.ts";
import { failureJson } from "./failure_json.ts";
import { printResult, tell } from "./output.ts";
import { aboutProxy, json } from "./verb.ts";

interface KillOptions {
  readonly peer?: Network;
  readonly idle?: number;
  readonly json?: boolean;
}

/** `proxyctl kill` */
export const killVerb = aboutProxy({
  name: "kill",
  about: "cut connections: both sides see a reset",
  define: (command) =>
    peerOption(json(command))
      .option(
        "--idle <duration>",
        "only those without a byte for that long",
        value(parseFiniteDuration),
      )
      .argument("[id...]", "which ones, unless it is said by --peer or --idle", ids)
      // Before a proxy is looked for.
      .hook("preAction", (_, command) => {
        refuseBoth(command, command.processedArgs[0] ?? [], command.opts<KillOptions>());
      }),
  run: (proxy, command) => {
    const [ids = []] = command.processedArgs as [number[] | undefined];
    return kill(proxy, ids, command.opts());
  },
});

/** Reads one more id. */
function ids(text: string, before: number[] = []): number[] {
  return [...before, value(wholeNumber(0))(text)];
}

/** @throws {CommanderError} unless it is said which ones, in one way */
function refuseBoth(command: Command, ids: readonly number[], options: KillOptions): void {
  const filtered = options.peer !== undefined || options.idle !== undefined;
  if (ids.length === 0 && !filtered) {
    command.error("missing argument 'id', or --peer or --idle: say which connections");
  }
  if (ids.length > 0 && filtered) {
    command.error("there are both ids and --peer or --idle: say in one way which connections");
  }
}

/** @returns the exit code */
async function kill(
  proxy: ControlClient,
  asked: readonly number[],
  options: KillOptions,
): Promise<number> {
  const all = asked.length > 0 ? asked : await matching(proxy, options);
  const killed: number[] = [];
  const missing: Failure[] = [];
  for (const id of new Set(all)) {
    try {
      await proxy.json("DELETE", `/v1/connections/${id}`);
      killed.push(id);
    } catch (error) {
      if (!(error instanceof Refusal) || error.code !== "no_such_connection") throw error;
      // One that was found to match has ended by itself meanwhile.
      if (asked.length > 0) missing.push(error);
    }
  }
  const [one] = asked;
  if (one !== undefined && asked.length === 1) {
    if (missing[0] !== undefined) throw missing[0];
    printResult(options.json, { killed: one }, `Killed connection ${one}`);
    return EXIT.done;
  }
  for (const { message } of missing) tell(`proxyctl: ${message}`);
  const what = killed.length === 1 ? "1 connection" : `${killed.length} connections`;
  const error = missing[0] === undefined ? {} : failureJson(missing[0]);
  printResult(options.json, { ...error, killed }, `Killed ${what}`);
  return missing.length > 0 ? EXIT.wrongState : EXIT.done;
}

/** @throws {Failure} when there is none */
async function matching(proxy: ControlClient, { peer, idle = 0 }: KillOptions): Promise<number[]> {
  const all = await connectionsOf(proxy, peer);
  const ids = all.filter(({ idleSeconds }) => idleSeconds * 1000 >= idle).map(({ id }) => id);
  if (ids.length > 0) return ids;
  throw new Failure("There is no such connection", EXIT.wrongState);
}
