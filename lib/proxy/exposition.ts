/**
 * The proxy's metrics, as Prometheus reads them.
 *
 * @module
 */

import { Counter, Gauge, type Metric, Registry } from "prom-client";
import type { Status } from "../control/api.ts";
import { CLOSE_REASONS, type Relay } from "../relay/relay.ts";
import type { Histogram } from "./histogram.ts";

const PREFIX = "disnix_tcp_proxy";
const STATES = ["open", "draining", "drained", "parked", "stopping"] as const;

/** What is read of a relay. */
export type MeasuredRelay = Pick<
  Relay,
  "counters" | "maxConnections" | "connections" | "longestHold"
>;

/** Where the numbers come from. */
export interface Sources {
  readonly status: () => Status;
  readonly relay: () => MeasuredRelay;
  /** Drains that are decided, by their outcome. */
  readonly drains: Iterable<readonly [outcome: string, count: number]>;
  /** How long drains took, in seconds. */
  readonly drainSeconds: Histogram;
  /** How long clients were held, in seconds. */
  readonly heldSeconds: Histogram;
}

/** Every metric of a proxy; each is read when it is asked for. */
export function makeRegistry(sources: Sources): Registry {
  const { status, relay } = sources;
  const counters = () => relay().counters;
  const registry = new Registry();
  const named = (name: string, help: string) => {
    return { name: `${PREFIX}_${name}`, help, registers: [registry] };
  };
  const gauge = (name: string, help: string, read: () => number | null) =>
    new Gauge({
      ...named(name, help),
      collect() {
        // What is not known is left out; zero would be a lie.
        const value = read();
        if (value === null) this.remove();
        else this.set(value);
      },
    });
  const counter = (name: string, help: string, read: () => number) =>
    new Counter({
      ...named(name, help),
      collect() {
        this.reset();
        this.inc(read());
      },
    });
  /** @param read each value of the label, with its number */
  const countersBy = (
    label: string,
    name: string,
    help: string,
    read: () => Iterable<readonly [string, number]>,
  ) =>
    new Counter({
      ...named(name, help),
      labelNames: [label],
      collect() {
        this.reset();
        for (const [value, count] of read()) this.inc({ [label]: value }, count);
      },
    });

  gauge("active_connections", "Connections being served", () => status().active);
  gauge("queued_connections", "Clients that wait to be served", () => status().queued);
  gauge(
    "suspended_connections",
    "Clients that were served, and wait since their service was let go",
    () => status().suspended,
  );
  gauge(
    "queue_limit",
    "How many clients can be held, where that is known",
    () => status().queueLimit,
  );
  gauge(
    "max_connections",
    "How many connections may be active, where that is known beforehand",
    () => relay().maxConnections,
  );
  gauge("oldest_connection_seconds", "How old the oldest of those connections is", () => {
    const [oldest] = relay().connections(1);
    return oldest === undefined ? null : oldest.age / 1000;
  });
  gauge(
    "longest_hold_seconds",
    "How long the client waits that waits the longest and was never served; 0 if none does",
    () => relay().longestHold / 1000,
  );
  gauge(
    "deadline_seconds",
    "In how many seconds the drain must be drained, as long as it is not",
    () => until(status().deadline),
  );
  gauge(
    "lease_seconds",
    "In how many seconds the lease ends of what is drained",
    () => until(status().leaseExpires),
  );
  counter("accepted_total", "Connections accepted", () => counters().accepted);
  counter(
    "connect_failures_total",
    "Failed attempts to connect to the upstream",
    () => counters().connectFailures,
  );
  countersBy("reason", "closed_total", "Connections that are over, by reason", () => {
    const { closed } = counters();
    return CLOSE_REASONS.map((reason) => [reason, closed[reason]] as const);
  });
  countersBy(
    "direction",
    "bytes_total",
    "Bytes carried, by direction: up is from the client to the service",
    () => {
      const { bytesUp, bytesDown } = counters();
      return [["up", bytesUp], ["down", bytesDown]];
    },
  );
  new Gauge({
    ...named("state", "1 for the state the proxy is in"),
    labelNames: ["state"],
    collect() {
      const now = status().state;
      for (const state of STATES) this.set({ state }, state === now ? 1 : 0);
    },
  });
  new Gauge({
    ...named("build_info", "Always 1; what this is, in labels"),
    labelNames: ["version", "relay", "threads"],
    collect() {
      const { version, relay: kind, threads } = status();
      this.set({ version, relay: kind, threads: `${threads}` }, 1);
    },
  });
  gauge(
    "start_time_seconds",
    "When the proxy started, in seconds since the epoch",
    () => Date.parse(status().startedAt) / 1000,
  );
  countersBy("outcome", "drains_total", "Drains, by outcome", () => sources.drains);
  registry.registerMetric(histogram(
    "drain_seconds",
    "How long drains took until they were drained, or failed",
    sources.drainSeconds,
  ));
  registry.registerMetric(histogram(
    "held_seconds",
    "How long clients were held before they were served",
    sources.heldSeconds,
  ));
  return registry;
}

/** How many seconds are left until a time in ISO 8601; `null` stays that. */
function until(time: string | null): number | null {
  return time === null ? null : Math.max(0, (Date.parse(time) - Date.now()) / 1000);
}

/** Those of prom-client can only be given single values; this one has been counting for long. */
function histogram(suffix: string, help: string, counted: Histogram): Metric {
  const name = `${PREFIX}_${suffix}`;
  const get = () => {
    let below = 0;
    const buckets = counted.bounds.map((le, index) => [le, below += counted.counts[index] ?? 0]);
    const values = [
      ...[...buckets, ["+Inf", counted.count]].map(([le, value]) => ({
        ...{ metricName: `${name}_bucket`, labels: { le }, value },
      })),
      { metricName: `${name}_sum`, labels: {}, value: counted.sum },
      { metricName: `${name}_count`, labels: {}, value: counted.count },
    ];
    return Promise.resolve({ name, help, type: "histogram", values });
  };
  // All that a registry asks of a metric.
  return { name, help, type: "histogram", get } as unknown as Metric;
}
