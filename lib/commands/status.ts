import { describeBytes } from "../bytes.ts";
import type { ControlClient } from "../control/client.ts";
import type { Status } from "../control/api.ts";
import { describePast } from "./history.ts";
import { describeTime, labelled } from "./output.ts";
import { aboutProxies, json } from "./verb.ts";
import { watch, watchOption } from "./watch.ts";

/** `proxyctl status` */
export const statusVerb = aboutProxies({
  name: "status",
  about: "show how the proxy is doing",
  define: (command) => watchOption(json(command)),
  run: (proxies, command) => status(proxies, command.opts()),
});

async function status(
  proxies: readonly ControlClient[],
  options: { json?: boolean; watch?: boolean },
): Promise<void> {
  const [only] = proxies;
  const isOne = only !== undefined && proxies.length === 1;
  await watch(async () => {
    const all = await Promise.all(proxies.map(async (proxy) => ({
      proxy: proxy.directory,
      status: await proxy.json<Status>("GET", "/v1/status"),
    })));
    if (!options.json) {
      const texts = all.map(({ proxy, status }) =>
        isOne ? describe(status) : `${proxy}\n${describe(status)}`
      );
      return texts.join("\n\n");
    }
    const results = all.map(({ proxy, status }) => isOne ? status : { proxy, ...status });
    return JSON.stringify(isOne ? results[0] : { proxies: results });
  }, options);
}

function describe(status: Status): string {
  const time = (label: string, iso: string | null) =>
    text(label, iso === null ? null : describeTime(iso));
  const text = (label: string, value: string | null) =>
    value === null ? [] : [[label, value] as const];
  return labelled([
    ["state", status.state],
    ...text("owner", status.owner),
    ...text("reason", status.reason),
    ...time("since", status.since),
    ...time("deadline", status.deadline),
    ...time("lease expires", status.leaseExpires),
    ...text("keeper", status.keeper === null ? null : nameOfKeeper(status.keeper)),
    ...time("parked until", status.parkedUntil),
    ["active", `${status.active}`],
    ["queued", queuedOf(status)],
    // One of an earlier version suspends nobody.
    ["suspended", `${status.suspended ?? 0}`],
    ["listen", status.listen],
    ["upstream", status.upstream],
    ["accepted", `${status.accepted}`],
    ["bytes up", describeBytes(status.bytesUp)],
    ["bytes down", describeBytes(status.bytesDown)],
    ["relay", `${status.relay}, ${status.threads} thread${status.threads === 1 ? "" : "s"}`],
    ["process", `${status.pid}, version ${status.version}`],
    ...time("started", status.startedAt),
    // Of an earlier version it is not known.
    ...text("last drain", status.lastDrain ? describePast(status.lastDrain) : null),
  ]);
}

function queuedOf({ queued, suspended, queueLimit }: Status): string {
  if (queued === null) return "unknown";
  if (!queueLimit) return `${queued}`;
  const isFull = queued + suspended >= queueLimit;
  const more = isFull ? ", so that further clients have to try again and again" : "";
  return `${queued} (at most ${queueLimit}${more})`;
}

/** One in another PID namespace has no number there where the proxy is. */
function nameOfKeeper(pid: number): string {
  return pid === 0 ? "a process in another PID namespace" : `process ${pid}`;
}
