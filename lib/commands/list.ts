import { defaultDirectories } from "../runtime_directory.ts";
import { runningIn } from "./find_proxy.ts";
import { printResult, table } from "./output.ts";

/** `proxyctl list` */
export async function list(options: { json?: boolean }): Promise<void> {
  const running = await runningIn(await defaultDirectories());
  const heads = ["LISTEN", "UPSTREAM", "STATE", "ACTIVE", "QUEUED", "OWNER", "PID", "DIRECTORY"];
  const rows = running.map(({ directory, status }) => [
    status.listen,
    status.upstream,
    status.state,
    `${status.active}`,
    `${status.queued ?? "unknown"}`,
    status.owner ?? "-",
    `${status.pid}`,
    directory,
  ]);
  const result = running.map(({ directory, status }) => ({ directory, ...status }));
  const text = rows.length === 0
    ? "No proxy runs in the default directories"
    : table([heads, ...rows]);
  printResult(options.json, result, text);
}
