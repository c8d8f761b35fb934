import type { Registry } from "prom-client";
import type { Status } from "../control/api.ts";
import { OUTCOME_NAMES, type OutcomeName, OUTCOMES } from "../drain/outcomes.ts";
import type { MeasuredRelay, Sources } from "./exposition.ts";
import { Histogram } from "./histogram.ts";

/**
 * What a proxy counts, in plain numbers: what turns them into text costs time and memory, and is
 * loaded with the first scrape. Whatever the relay and the drain know already is asked for then.
 */
export class Metrics implements Sources {
  readonly drains: Map<OutcomeName, number> = new Map(
    OUTCOME_NAMES.filter((outcome) => OUTCOMES[outcome].metrics !== "left out")
      .map((outcome) => [outcome, 0]),
  );
  readonly drainSeconds = new Histogram([0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30, 60, 300, 1800]);
  readonly heldSeconds = new Histogram([0.001, 0.01, 0.1, 0.5, 1, 5, 10, 30, 60, 300, 1800]);
  #registry: Promise<Registry> | null = null;

  /** Both are asked only when the metrics are read. */
  constructor(
    readonly status: () => Status,
    readonly relay: () => MeasuredRelay,
  ) {}

  /** Counts a drain that is decided, after so many milliseconds. */
  drainOver(outcome: OutcomeName, waited: number): void {
    this.drains.set(outcome, (this.drains.get(outcome) ?? 0) + 1);
    if (OUTCOMES[outcome].metrics === "counted and timed") this.drainSeconds.observe(waited / 1000);
  }

  /** Counts a client that was held for so many milliseconds. */
  released(held: number): void {
    this.heldSeconds.observe(held / 1000);
  }

  /** All metrics as text. */
  async read(): Promise<{ text: string; contentType: string }> {
    this.#registry ??= import("./exposition.ts").then(({ makeRegistry }) => makeRegistry(this));
    const registry = await this.#registry;
    return { text: await registry.metrics(), contentType: registry.contentType };
  }
}
