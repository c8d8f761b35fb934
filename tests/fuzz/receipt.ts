/**
 * What a fuzz came to.
 *
 * @module
 */

import type { Footprint, Totals } from "./aftermath.ts";

/** The receipt. */
export interface Receipt extends Totals {
  rounds: number;
  /** Connections of which one end went away, or that were killed. */
  brokenOff: number;
  /** Connections that were reset though nobody went away, which this relay may do (see forgiven.ts). */
  forgiven: number;
  /** Clients that went away without a word. */
  silent: number;
  holds: number;
  /** How long the longest of them lasted, in milliseconds. */
  longest: number;
  /** Of the relay's process, after the first round. */
  first: Footprint;
  /** Of the relay's process, after the last round. */
  last: Footprint;
  /** What went wrong. */
  failures: string[];
}

/** The receipt of a fuzz that has not begun. */
export function emptyReceipt(): Receipt {
  return {
    rounds: 0,
    clients: 0,
    peaceful: 0,
    brokenOff: 0,
    forgiven: 0,
    silent: 0,
    holds: 0,
    longest: 0,
    kills: 0,
    rejected: 0,
    up: { sent: 0, received: 0 },
    down: { sent: 0, received: 0 },
    first: { descriptors: 0, pipes: 0, memory: 0 },
    last: { descriptors: 0, pipes: 0, memory: 0 },
    failures: [],
  };
}

/** The receipt so far, in one line. */
export function summary(receipt: Receipt): string {
  const { rounds, clients, last } = receipt;
  return `round ${rounds}: ${clients} connections, ${bytesOf(receipt)} checked; the relay has ` +
    `${Math.round(last.memory)} MiB of memory and ${openIn(last)}`;
}

/** The receipt for people. */
export function describe(receipt: Receipt): string {
  const { first, last } = receipt;
  const lines: [string, string | number][] = [
    ["rounds", receipt.rounds],
    ["connections", receipt.clients],
    ["ended in peace", receipt.peaceful],
    ["broken off", `${receipt.brokenOff}, ${receipt.kills} times by killing`],
    ["reset, as this relay may", receipt.forgiven],
    ["clients without a word", receipt.silent],
    ["holds", receipt.holds],
    ["longest connection", `${(receipt.longest / 1000).toFixed(1)} s`],
    ["bytes", `${bytesOf(receipt)}, each of them checked`],
    ["memory", `${Math.round(first.memory)} MiB, at the end ${Math.round(last.memory)} MiB`],
    ["open at first", openIn(first)],
    ["open at the end", openIn(last)],
    ["failures", receipt.failures.length],
  ];
  const widest = Math.max(...lines.map(([name]) => name.length));
  return lines.map(([name, text]) => `${name.padEnd(widest)}  ${text}\n`).join("");
}

function openIn({ descriptors, pipes }: Footprint): string {
  return `${descriptors} descriptors, and ${pipes} of pipes`;
}

function bytesOf({ up, down }: Receipt): string {
  return `${((up.received + down.received) / 2 ** 20).toFixed(1)} MiB`;
}
