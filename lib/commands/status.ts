import type { ControlClient } from "../control/client.ts";
import type { Status } from "../control/api.ts";
import { describeBytes, describeTime, printResult, table } from "./output.ts";

/** How often `--watch` looks, in milliseconds. */
const EVERY = 1000;
/** To the top left, and clear from there. Source: console_codes(4). */
const CLEAR = "\x1b[H\x1b[J";

/** `proxyctl status` */
export async function status(
  proxy: ControlClient,
  options: { json?: boolean; watch?: boolean },
): Promise<void> {
  for (;;) {
    const now = await proxy.json<Status>("GET", "/v1/status");
    const clear = options.watch && Deno.stdout.isTerminal() ? CLEAR : "";
    printResult(options.json, now, clear + describe(now));
    if (!options.watch) return;
    await new Promise((resolve) => setTimeout(resolve, EVERY));
  }
}

function describe(status: Status): string {
  const time = (label: string, iso: string | null) =>
    iso === null ? [] : [[label, `${iso} (${describeTime(iso)})`]];
  const text = (label: string, value: string | null) => value === null ? [] : [[label, value]];
  return table([
    ["state", status.state],
    ...text("owner", status.owner),
    ...text("reason", status.reason),
    ...time("since", status.since),
    ...time("deadline", status.deadline),
    ...time("lease expires", status.leaseExpires),
    ...text("keeper", status.keeper === null ? null : `process ${status.keeper}`),
    ...time("parked until", status.parkedUntil),
    ["active", `${status.active}`],
    ["queued", status.queued === null ? "unknown" : `${status.queued}`],
    ["listen", status.listen],
    ["upstream", status.upstream],
    ["accepted", `${status.accepted}`],
    ["bytes up", describeBytes(status.bytesUp)],
    ["bytes down", describeBytes(status.bytesDown)],
    ["relay", `${status.relay}, ${status.threads} thread${status.threads === 1 ? "" : "s"}`],
    ["process", `${status.pid}, version ${status.version}`],
    ...time("started", status.startedAt),
  ]);
}
