/**
 * The metrics of several proxies as one text that Prometheus reads.
 *
 * @module
 */

import type { Status } from "../control/api.ts";

/** What is known of a proxy when the metrics are read. */
export interface Scraped {
  /** Where it listens: the label that tells its metrics from others'. */
  readonly listen: string;
  /** How it is; `null` if it does not say. */
  readonly status: Status | null;
  /** Its metrics; `null` if it has none now, as while only a keeper is there. */
  readonly text: string | null;
}

/** All samples of one name, with what is said of them. */
interface Family {
  readonly head: string[];
  readonly samples: string[];
}

const PREFIX = "disnix_tcp_proxy";

/**
 * Puts them together: each name has its help and its type once, and each sample has the label `listen`.
 * Of a proxy that answers and has no metrics, its status says what it can.
 */
export function exposition(proxies: readonly Scraped[]): string {
  const families = new Map<string, Family>();
  for (const proxy of proxies) {
    const label = `listen="${escaped(proxy.listen)}"`;
    let name = "";
    for (const line of metricsOf(proxy).split("\n")) {
      const [, word, about = "", rest = ""] = /^# (HELP|TYPE) (\S+) (.*)$/.exec(line) ?? [];
      if (word !== undefined) {
        name = about;
        const { head } = familyOf(families, name);
        if (!head.some((one) => one.startsWith(`# ${word} `))) {
          head.push(`# ${word} ${name} ${rest}`);
        }
        continue;
      }
      const [, metric, labels, value] = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)$/.exec(line) ?? [];
      if (metric === undefined || name === "" || !metric.startsWith(name)) continue;
      const all = labels ? `${label},${labels}` : label;
      familyOf(families, name).samples.push(`${metric}{${all}} ${value}`);
    }
  }
  return [...families.values()].map(({ head, samples }) => [...head, ...samples, ""].join("\n"))
    .join("\n");
}

function metricsOf({ status, text }: Scraped): string {
  return [
    gauge("up", "1 if the proxy answers, or its keeper while it is parked"),
    `${PREFIX}_up ${status === null ? 0 : 1}`,
    text ?? (status === null ? "" : ofStatus(status)),
  ].join("\n");
}

function familyOf(families: Map<string, Family>, name: string): Family {
  const family = families.get(name) ?? { head: [], samples: [] };
  families.set(name, family);
  return family;
}

/** What a keeper knows, under the names that a proxy has for it. */
function ofStatus({ state, queued, suspended, heldSince }: Status): string {
  const hold = heldSince ? Math.max(0, (Date.now() - Date.parse(heldSince)) / 1000) : 0;
  return [
    gauge("state", "1 for the state the proxy is in"),
    `${PREFIX}_state{state="${escaped(state)}"} 1`,
    gauge("queued_connections", "Clients that wait to be served"),
    ...queued === null ? [] : [`${PREFIX}_queued_connections ${queued}`],
    gauge(
      "suspended_connections",
      "Clients that were served, and wait since their service was let go",
    ),
    `${PREFIX}_suspended_connections ${suspended}`,
    gauge(
      "longest_hold_seconds",
      "How long the client waits that waits the longest and was never served; 0 if none does",
    ),
    `${PREFIX}_longest_hold_seconds ${hold}`,
  ].join("\n");
}

function gauge(name: string, help: string): string {
  return `# HELP ${PREFIX}_${name} ${help}\n# TYPE ${PREFIX}_${name} gauge`;
}

/** As the value of a label (prometheus.io/docs/instrumenting/exposition_formats). */
function escaped(text: string): string {
  return text.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");
}
