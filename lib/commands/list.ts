import { Failure } from "../command_line.ts";
import { EXIT } from "../control/exit_codes.ts";
import { runningIn } from "../control/running.ts";
import { defaultDirectories } from "../runtime_directory.ts";
import { LOOK_PATIENCE } from "./find_proxy.ts";
import { describeTime, printResult, table, tell } from "./output.ts";

/** `proxyctl list` @returns the exit code: that of a proxy that does not answer, if there is one */
export async function list(options: { json?: boolean }): Promise<number> {
  const rows = [];
  const result = [];
  let exitCode: number = EXIT.done;
  for (const { directory, status } of await runningIn(await defaultDirectories(), LOOK_PATIENCE)) {
    if (status instanceof Failure) {
      tell(`proxyctl: ${status.message}`);
      exitCode = status.exitCode;
      continue;
    }
    const { listen, upstream, active, queued, owner, pid, parkedUntil } = status;
    // How long it may stay so is what matters then.
    const state = parkedUntil === null ? status.state : `parked, ends ${describeTime(parkedUntil)}`;
    const numbers = [`${active}`, queued === null ? "unknown" : `${queued}`];
    rows.push([listen, upstream, state, ...numbers, owner ?? "-", `${pid}`, directory]);
    result.push({ directory, ...status });
  }
  const heads = ["LISTEN", "UPSTREAM", "STATE", "ACTIVE", "QUEUED", "OWNER", "PID", "DIRECTORY"];
  const none = exitCode === EXIT.done ? "No proxy runs in the default directories" : "";
  printResult(options.json, result, rows.length === 0 ? none : table([heads, ...rows]));
  return exitCode;
}
