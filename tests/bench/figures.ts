/**
 * What is read off the measurements: for each contender one number, the ratio to the best peer, and
 * whether the goal is met.
 *
 * @module
 */

import type { Contender } from "./contenders/contender.ts";
import { median } from "./statistics.ts";

/** The contender that the goals are for. */
export const PRODUCT = "epoll";

/** What one turn of one contender gave, by name. */
export type Numbers = Readonly<Record<string, number>>;

/** What every turn gave, by contender. */
export type Turns = Readonly<Record<string, readonly Numbers[]>>;

/** What a figure should be: at the most this ratio to the best peer, or at the most this. */
export type Goal = { readonly ratio: number } | { readonly atMost: number };

/** A line of the result. */
export interface Figure {
  /** Which of the {@linkcode Numbers}. */
  readonly of: string;
  /** What it is, within its row, with the unit. */
  readonly title: string;
  readonly better: "less" | "more";
  /** Which of the turns counts: the one in the middle, unless it is the best one. */
  readonly turn?: "median" | "best";
  /** Whether it is what a proxy adds to the direct connection. */
  readonly added?: true;
  readonly goal?: Goal;
}

/** The least and the most of what the turns gave. */
export interface Range {
  readonly least: number;
  readonly most: number;
}

/** A figure with its numbers, by contender. What could not be measured is not there. */
export interface Line {
  readonly row: string;
  readonly figure: Figure;
  readonly values: Readonly<Record<string, number>>;
  /** To the best peer, of our own contenders. */
  readonly ratios: Readonly<Record<string, number>>;
  /** Of those ratios, each of a turn of both. */
  readonly ranges: Readonly<Record<string, Range>>;
  readonly bestPeer: string | null;
  /** Whether {@linkcode PRODUCT} meets the goal; `null` where there is none, or it cannot be told. */
  readonly met: boolean | null;
}

/** Reads a figure off the turns of a row. */
export function lineOf(
  row: string,
  figure: Figure,
  turns: Turns,
  contenders: readonly Pick<Contender, "name" | "kind">[],
): Line {
  const values: Record<string, number> = {};
  const direct = summary(figure, turns["direct"]);
  for (const { name, kind } of contenders) {
    if (figure.added && kind === "direct") continue;
    const value = summary(figure, turns[name]) - (figure.added ? direct : 0);
    if (Number.isFinite(value)) values[name] = value;
  }
  const names = (kind: Contender["kind"]) =>
    contenders.filter((one) => one.kind === kind && one.name in values).map(({ name }) => name);
  const [bestPeer = null] = names("peer").toSorted((a, b) =>
    figure.better === "less" ? values[a]! - values[b]! : values[b]! - values[a]!
  );
  const ratios: Record<string, number> = {};
  // What a proxy adds may come out as nothing or less where it is lost in the noise.
  const best = bestPeer === null ? 0 : values[bestPeer]!;
  if (best > 0) { for (const name of names("ours")) ratios[name] = values[name]! / best; }
  const ranges: Record<string, Range> = {};
  for (const name of Object.keys(ratios)) {
    const range = rangeOf(figure, turns[name] ?? [], turns[bestPeer ?? ""] ?? [], direct);
    if (range !== null) ranges[name] = range;
  }
  const met = isMet(figure.goal, values, ratios);
  return { row, figure, values, ratios, ranges, bestPeer, met };
}

/** Between which ratios one is to another one, turn by turn; `null` if that cannot be told. */
function rangeOf(
  { of, added }: Figure,
  ours: readonly Numbers[],
  best: readonly Numbers[],
  direct: number,
): Range | null {
  const nothing = added ? direct : 0;
  const ratios = ours.map((turn, index) =>
    ((turn[of] ?? NaN) - nothing) / ((best[index]?.[of] ?? NaN) - nothing)
  ).filter((ratio) => ratio > 0 && Number.isFinite(ratio));
  if (ratios.length === 0) return null;
  return { least: Math.min(...ratios), most: Math.max(...ratios) };
}

function summary({ of, turn, better }: Figure, turns: readonly Numbers[] = []): number {
  const numbers = turns.map((turn) => turn[of]).filter((number) => number !== undefined);
  if (turn !== "best") return median(numbers);
  return better === "less" ? Math.min(...numbers) : Math.max(...numbers);
}

function isMet(
  goal: Goal | undefined,
  values: Record<string, number>,
  ratios: Record<string, number>,
): boolean | null {
  if (goal === undefined) return null;
  const [number, most] = "ratio" in goal
    ? [ratios[PRODUCT], goal.ratio]
    : [values[PRODUCT], goal.atMost];
  return number === undefined ? null : number <= most;
}
