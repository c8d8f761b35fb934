import type { HistoryResult } from "../control/api.ts";
import type { ControlClient } from "../control/client.ts";
import type { PastDrain } from "../drain/past_drain.ts";
import { describeDuration } from "../duration.ts";
import { describeTime, printResult, table } from "./output.ts";
import { aboutProxy, json } from "./verb.ts";

/** How many connections that were in the way are named in a line. */
const MOST_NAMED = 3;

/** `proxyctl history` */
export const historyVerb = aboutProxy({
  name: "history",
  about: "show what became of the last 100 drains",
  define: json,
  run: (proxy, command) => history(proxy, command.opts()),
});

async function history(proxy: ControlClient, options: { json?: boolean }): Promise<void> {
  const { drains } = await proxy.json<HistoryResult>("GET", "/v1/history");
  const heads = [
    "WHEN",
    "OUTCOME",
    "TOOK",
    "ACTIVE",
    "CUT",
    "HELD",
    "LONGEST",
    "ENDED BY",
    "OWNER",
  ];
  const rows = drains.map((one) => [
    describeTime(one.since),
    one.outcome,
    describeDuration(one.tookSeconds * 1000),
    `${one.active}`,
    `${one.cut}`,
    one.held === null ? "-" : `${one.held}`,
    one.held ? describeDuration((one.longestHoldSeconds ?? 0) * 1000) : "-",
    one.endedBy ?? "-",
    one.owner ?? "-",
  ]);
  const text = drains.length === 0
    ? "No drain is remembered"
    : table([heads, ...rows], ["LONGEST", "HELD", "CUT", "ACTIVE"]);
  printResult(options.json, drains, text);
}

/** What became of a drain, in a line. */
export function describePast(past: PastDrain): string {
  const { outcome, owner, reason, tookSeconds, active, blockers, cut, cutConnections } = past;
  const took = describeDuration(tookSeconds * 1000);
  const who = owner === null ? "" : ` for "${owner}"${reason === null ? "" : ` (${reason})`}`;
  const result = outcome === "drained" ? "drained" : `failed (${outcome})`;
  return [
    `${describeTime(past.since)}${who}: ${result} after ${took}`,
    ...active === 0 ? [] : [`${active} in the way: ${names(blockers, active)}`],
    ...cut === 0 ? [] : [`${cut} cut: ${names(cutConnections, cut)}`],
    ...!past.held ? [] : [
      `${past.held} held, the longest for ${
        describeDuration((past.longestHoldSeconds ?? 0) * 1000)
      }`,
    ],
    ...past.endedBy === "lease" ? ["the lease expired"] : [],
  ].join("; ");
}

function names(connections: PastDrain["blockers"], count: number): string {
  const named = connections.slice(0, MOST_NAMED).map(({ peer, idleSeconds }) =>
    `${peer} (idle for ${describeDuration(idleSeconds * 1000)})`
  );
  const more = count - named.length;
  return [...named, ...more > 0 ? [`${more} more`] : []].join(", ");
}
