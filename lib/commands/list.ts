import { usageError } from "../command_line.ts";
import { Failure } from "../failure.ts";
import { EXIT } from "../exit_codes.ts";
import { type FoundProxy, runningIn } from "../control/running_in.ts";
import { defaultDirectories } from "../runtime_directory/paths.ts";
import { hostsOf, listOn, LOOK_PATIENCE, type Which } from "./find_proxy.ts";
import { failureJson } from "./failure_json.ts";
import { describeAway } from "../moment.ts";
import { printResult, table, tell } from "./output.ts";
import { hostOption, json, type Verb, whichOf } from "./verb.ts";

/** `proxyctl list` */
export const listVerb: Verb = {
  name: "list",
  about: "list the proxies that run",
  define: (command) => json(command).addOption(hostOption()),
  run: async (command) => list(await running(refuseNames(whichOf(command))), command.opts()),
};

/** @throws {CommanderError} when some are named */
function refuseNames(which: Which): Which {
  const { runtimeDir = [], port = [] } = which;
  if (runtimeDir.length + port.length === 0) return which;
  throw usageError(
    "list shows all proxies of the default directories: for one that is named use proxyctl status",
  );
}

/** Those that run here, or on the machines that are meant. */
async function running(which: Which): Promise<FoundProxy[]> {
  const hosts = hostsOf(which);
  if (hosts.length === 0) {
    const { own, roots } = await defaultDirectories();
    return await runningIn([...own, ...roots], LOOK_PATIENCE);
  }
  const found = await Promise.all(hosts.map(async (host) =>
    (await listOn(host)).map((status) => ({
      directory: `${host.text} ${status.directory}`,
      status,
    }))
  ));
  return found.flat();
}

/** @returns the exit code: that of a proxy that does not answer, if there is one */
function list(
  found: readonly FoundProxy[],
  options: { json?: boolean },
): number {
  const rows = [];
  const result = [];
  let exitCode: number = EXIT.done;
  const suspends = found.some(({ status }) => !(status instanceof Failure) && status.suspended > 0);
  for (const { directory, status } of found) {
    if (status instanceof Failure) {
      tell(`proxyctl: ${status.message}`);
      exitCode = status.exitCode;
      result.push({ directory, ...failureJson(status) });
      continue;
    }
    const { listen, upstream, active, queued, suspended, owner, pid, parkedUntil } = status;
    // How long it may stay so is what matters then.
    const state = parkedUntil === null
      ? status.state
      : `parked, ends ${describeAway(Date.parse(parkedUntil), Date.now())}`;
    const numbers = [
      `${active}`,
      queued === null ? "unknown" : `${queued}`,
      ...suspends ? [`${suspended}`] : [],
    ];
    rows.push([listen, upstream, state, ...numbers, owner ?? "-", `${pid}`, directory]);
    // Where it was found, which may be by way of a link.
    const { directory: _real, ...rest } = status;
    result.push({ directory, ...rest });
  }
  const counts = ["ACTIVE", "QUEUED", ...suspends ? ["SUSPENDED"] : []];
  const heads = ["LISTEN", "UPSTREAM", "STATE", ...counts, "OWNER", "PID", "DIRECTORY"];
  const none = exitCode === EXIT.done ? "No proxy runs in the default directories" : "";
  printResult(
    options.json,
    result,
    rows.length === 0 ? none : table([heads, ...rows], ["PID", "DIRECTORY", "UPSTREAM"]),
  );
  return exitCode;
}
