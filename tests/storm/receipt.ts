/**
 * What a storm came to.
 *
 * @module
 */

import type { StormOptions } from "./options.ts";
import type { Replacements } from "./replaced_proxy.ts";
import type { Tally } from "./load/tally.ts";

/** The receipt. Times are in milliseconds; those of drains are `null` where none was measured. */
export interface Receipt extends Tally {
  readonly services: number;
  /** How often each of the services was replaced. */
  readonly upgrades: number;
  /** Of proxies, if they were replaced as well. */
  readonly replacements: Replacements | null;
  readonly planned: number;
  readonly clients: number;
  /** How many connections were to stay until the end. */
  readonly keepAlive: number;
  readonly held: number;
  /** How long the drains took that had somebody to wait for, from the last close on. */
  readonly drains: { readonly count: number; readonly median: number; readonly p99: number } | null;
  readonly duration: number;
  readonly seed: number;
}

/** Puts the figures together. */
export function makeReceipt(
  options: StormOptions,
  tally: Tally,
  rest: {
    readonly services: number;
    readonly upgrades: number;
    readonly replacements: Replacements;
    readonly held: number;
    readonly drainTimes: readonly number[];
    readonly duration: number;
  },
): Receipt {
  const { drainTimes, ...counted } = rest;
  const sorted = drainTimes.toSorted((a, b) => a - b);
  /** The smallest that at least this share of all do not exceed. */
  const quantile = (share: number) =>
    sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? 0;
  return {
    ...tally,
    ...counted,
    replacements: options.replaceProxies ? counted.replacements : null,
    planned: options.upgrades,
    clients: options.clients,
    keepAlive: options.keepAlive,
    drains: sorted.length === 0
      ? null
      : { count: sorted.length, median: quantile(0.5), p99: quantile(0.99) },
    seed: options.seed,
  };
}

/** Whether every promise was kept. */
export function isClean({ refused, reset, truncated, wrong }: Receipt): boolean {
  return refused + reset + truncated + wrong === 0;
}

/** The receipt as one line of JSON. */
export function json(receipt: Receipt): string {
  const { longestHold, longestPause, longestWait, drains, duration, wrong, failures: _, ...rest } =
    receipt;
  return JSON.stringify({
    ...rest,
    longestPauseMs: receipt.replacements && rounded(longestPause),
    wrongAnswers: wrong,
    longestWaitMs: Math.round(longestWait),
    longestHoldMs: Math.round(longestHold),
    drainsMeasured: drains?.count ?? 0,
    drainMedianMs: drains && rounded(drains.median),
    drainP99Ms: drains && rounded(drains.p99),
    durationMs: Math.round(duration),
    clean: isClean(receipt),
  }) + "\n";
}

/** The receipt for people. */
export function describe(receipt: Receipt): string {
  const { upgrades, planned, services, drains, replacements } = receipt;
  const lines: [string, string][] = [
    ["upgrades", `${upgrades} of ${planned}, of each of ${services} services`],
    ...replacements === null ? [] : describeReplacements(replacements, receipt.longestPause),
    ["clients", count(receipt.clients)],
    ["connections", `${count(receipt.connections)}, ${count(receipt.held)} of them held`],
    ...receipt.keepAlive === 0 ? [] : describeStaying(receipt),
    ["bytes", `${count(receipt.bytes)}, each of them checked`],
    ["refused", count(receipt.refused)],
    ["reset", count(receipt.reset)],
    ["truncated", count(receipt.truncated)],
    ["wrong answers", count(receipt.wrong)],
    ["longest hold", `${count(receipt.longestHold)} ms`],
    [
      "last close to drained",
      drains === null ? "not measured" : `median ${rounded(drains.median)} ms, ` +
        `p99 ${rounded(drains.p99)} ms, of ${drains.count} drains`,
    ],
    ["duration", `${(receipt.duration / 1000).toFixed(1)} s`],
    ["seed", `${receipt.seed}`],
  ];
  const widest = Math.max(...lines.map(([name]) => name.length));
  return lines.map(([name, text]) => `${name.padEnd(widest)}  ${text}\n`).join("");
}

function describeReplacements(
  { takenOver, parked, killed, moved }: Replacements,
  longestPause: number,
): [string, string][] {
  const ways = `${takenOver} taken over, ${parked} parked, ${killed} killed while drained`;
  return [
    ["proxies replaced", `${count(takenOver + parked + killed)}: ${ways}`],
    ["connections moved", count(moved)],
    ["longest pause", `${rounded(longestPause)} ms, of a connection that moved`],
  ];
}

function describeStaying(
  { keepAlive, stayed, answers, longestWait }: Receipt,
): [string, string][] {
  const through = `${count(stayed)} of ${count(keepAlive)} connections through it all`;
  return [
    ["stayed", `${through}, with ${count(answers)} answers in order, each checked`],
    ["longest wait of those", `${count(longestWait)} ms`],
  ];
}

function count(number: number): string {
  return Math.round(number).toLocaleString("en");
}

/** To a tenth. */
function rounded(number: number): number {
  return Math.round(number * 10) / 10;
}
