/**
 * The proxy's metrics, as Prometheus reads them.
 *
 * @module
 */

import { Counter, Gauge, Histogram, Registry } from "prom-client";
import type { Status } from "../control/api.ts";
import type { Outcome } from "../drain/types.ts";
import { CLOSE_REASONS, type Relay } from "../relay/relay.ts";

const PREFIX = "disnix_tcp_proxy";
const STATES = ["open", "draining", "drained", "parked"] as const;
const OUTCOMES = ["drained", "deadline", "cancelled", "refused", "ended", "stopped"] as const;

/** Every metric of a proxy. Gauges and counters are read when they are asked for. */
export class Metrics {
  readonly #registry = new Registry();
  readonly #drains: Counter<"outcome">;
  readonly #drainSeconds: Histogram;
  readonly #heldSeconds: Histogram;

  /** Both are asked only when the metrics are read. */
  constructor(status: () => Status, relay: () => Pick<Relay, "counters" | "maxConnections">) {
    const counters = () => relay().counters;
    const registers = [this.#registry];
    const gauge = (name: string, help: string, read: () => number | null) =>
      new Gauge({
        name: `${PREFIX}_${name}`,
        help,
        registers,
        collect() {
          // What is not known is left out; zero would be a lie.
          const value = read();
          if (value === null) this.remove();
          else this.set(value);
        },
      });
    const counter = (name: string, help: string, read: () => number) =>
      new Counter({
        name: `${PREFIX}_${name}`,
        help,
        registers,
        collect() {
          this.reset();
          this.inc(read());
        },
      });
    gauge("active_connections", "Connections being served", () => status().active);
    gauge("queued_connections", "Clients that wait to be served", () => status().queued);
    gauge(
      "max_connections",
      "How many connections may be active, where that is known beforehand",
      () => relay().maxConnections,
    );
    counter("accepted_total", "Connections accepted", () => counters().accepted);
    counter(
      "connect_failures_total",
      "Failed attempts to connect to the upstream",
      () => counters().connectFailures,
    );
    new Counter({
      name: `${PREFIX}_closed_total`,
      help: "Connections that are over, by reason",
      labelNames: ["reason"],
      registers,
      collect() {
        this.reset();
        for (const reason of CLOSE_REASONS) this.inc({ reason }, counters().closed[reason]);
      },
    });
    new Counter({
      name: `${PREFIX}_bytes_total`,
      help: "Bytes carried, by direction: up is from the client to the service",
      labelNames: ["direction"],
      registers,
      collect() {
        this.reset();
        this.inc({ direction: "up" }, counters().bytesUp);
        this.inc({ direction: "down" }, counters().bytesDown);
      },
    });
    new Gauge({
      name: `${PREFIX}_state`,
      help: "1 for the state the proxy is in",
      labelNames: ["state"],
      registers,
      collect() {
        const now = status().state;
        for (const state of STATES) this.set({ state }, state === now ? 1 : 0);
      },
    });
    new Gauge({
      name: `${PREFIX}_build_info`,
      help: "Always 1; what this is, in labels",
      labelNames: ["version", "relay", "threads"],
      registers,
      collect() {
        const { version, relay, threads } = status();
        this.set({ version, relay, threads: `${threads}` }, 1);
      },
    });
    gauge(
      "start_time_seconds",
      "When the proxy started, in seconds since the epoch",
      () => Date.parse(status().startedAt) / 1000,
    );
    this.#drains = new Counter({
      name: `${PREFIX}_drains_total`,
      help: "Drains, by outcome",
      labelNames: ["outcome"],
      registers,
    });
    for (const outcome of OUTCOMES) this.#drains.inc({ outcome }, 0);
    this.#drainSeconds = new Histogram({
      name: `${PREFIX}_drain_seconds`,
      help: "How long drains took until they were drained, or failed",
      buckets: [0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30, 60, 300, 1800],
      registers,
    });
    this.#heldSeconds = new Histogram({
      name: `${PREFIX}_held_seconds`,
      help: "How long clients were held before they were served",
      buckets: [0.001, 0.01, 0.1, 0.5, 1, 5, 10, 30, 60, 300, 1800],
      registers,
    });
  }

  /** Counts a drain that is decided, after so many milliseconds. */
  drainOver(outcome: Outcome["outcome"], waited: number): void {
    this.#drains.inc({ outcome });
    if (outcome !== "refused") this.#drainSeconds.observe(waited / 1000);
  }

  /** Counts a client that was held for so many milliseconds. */
  released(held: number): void {
    this.#heldSeconds.observe(held / 1000);
  }

  /** All metrics as text. */
  async read(): Promise<{ text: string; contentType: string }> {
    return { text: await this.#registry.metrics(), contentType: this.#registry.contentType };
  }
}
