/**
 * The plot: for each figure a bar from the best peer, to the left if ours needs less and to the
 * right if it needs more. The axis is logarithmic, so that half and twice are as far.
 *
 * @module
 */

import type { Figure, Line } from "../figures.ts";
import { number } from "./table.ts";

/** What is drawn of a line. */
export interface DrawnLine extends Pick<Line, "row" | "values" | "ratios" | "bestPeer"> {
  readonly figure: Pick<Figure, "title" | "better" | "goal">;
}

/** Sizes, in pixels. */
const LEFT = 330;
const WIDTH = 440;
const RIGHT = 250;
const TOP = 84;
const BAR = 14;
const GAP = 14;

/** Where the axis ends, at the least; as powers of two. */
const LEAST_EXTENT = 1;
/** Longer bars are cut; the ratio beside them says how long they would be. */
const MOST_EXTENT = 4;

/**
 * Draws it.
 *
 * @param caption one line about the machine and the run
 */
export function resultSvg(lines: readonly DrawnLine[], caption: string): string {
  const shown = lines.filter(isShown);
  const ours = [...new Set(shown.flatMap(({ ratios }) => Object.keys(ratios)))];
  const extent = extentOf(shown);
  const x = (ratio: number) => {
    const power = Math.max(-extent, Math.min(extent, Math.log2(Math.max(ratio, 1e-9))));
    return round(LEFT + WIDTH * (power + extent) / (2 * extent));
  };
  const height = BAR * ours.length + GAP;
  const bottom = TOP + shown.length * height;
  const body = shown.flatMap((line, index) => drawLine(line, ours, TOP + index * height, x));
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${LEFT + WIDTH + RIGHT} ${
      bottom + 40
    }" ` +
    `role="img" aria-label="Ratios to the best peer">`,
    STYLE,
    text(16, 26, "title", "Cost beside the best peer in the same run: less is better"),
    text(16, 46, "", caption),
    ...legend(ours),
    text(LEFT + WIDTH + RIGHT - 16, 66, "", "best peer", "end"),
    ...axis(extent, bottom, x),
    ...body,
    "</svg>\n",
  ].join("\n");
}

/** Colours that can be read on white and on black; all else is the reader's own choice. */
const STYLE = `<style>
  svg { color-scheme: light dark; font: 12px system-ui, sans-serif; }
  text { fill: #57606a; }
  .title { font-size: 15px; font-weight: 600; }
  .name, .title { fill: #1f2328; }
  .axis { stroke: #d0d7de; }
  .best { stroke: #57606a; stroke-width: 1.5; }
  .goal { stroke: #cf222e; stroke-width: 2; }
  .ours0 { fill: #0a7ea4; }
  .ours1 { fill: #9aa7b1; }
  @media (prefers-color-scheme: dark) {
    text { fill: #9198a1; }
    .name, .title { fill: #f0f6fc; }
    .axis { stroke: #3d444d; }
    .best { stroke: #9198a1; }
    .goal { stroke: #ff7b72; }
    .ours0 { fill: #39b5dc; }
    .ours1 { fill: #6e7681; }
  }
</style>`;

function isShown({ figure, ratios }: DrawnLine): boolean {
  return figure.better === "less" && Object.keys(ratios).length > 0;
}

function extentOf(lines: readonly DrawnLine[]): number {
  const powers = lines.flatMap(({ ratios }) =>
    Object.values(ratios).map((ratio) => Math.abs(Math.log2(Math.max(ratio, 1e-9))))
  );
  return Math.min(MOST_EXTENT, Math.max(LEAST_EXTENT, Math.ceil(Math.max(0, ...powers))));
}

function drawLine(
  line: DrawnLine,
  ours: readonly string[],
  y: number,
  x: (ratio: number) => number,
): string[] {
  const { row, figure, ratios, values, bestPeer } = line;
  const bars = ours.flatMap((name, index) => {
    const ratio = ratios[name];
    if (ratio === undefined) return [];
    const from = Math.min(x(1), x(ratio));
    const width = round(Math.abs(x(ratio) - x(1)));
    const top = y + index * BAR;
    const says = `${ratio.toFixed(2)}× (${number(values[name])})`;
    return [
      `<rect class="ours${index}" x="${from}" y="${top + 1}" width="${width}" ` +
      `height="${BAR - 2}" rx="2"/>`,
      text(x(Math.max(1, ratio)) + 6, top + BAR - 3, "", says),
    ];
  });
  const middle = y + ours.length * BAR / 2 + 4;
  const peer = bestPeer === null ? "" : `${bestPeer} ${number(values[bestPeer])}`;
  const goal = figure.goal !== undefined && "ratio" in figure.goal && figure.goal.ratio !== 1
    ? [vertical("goal", x(figure.goal.ratio), y, y + BAR)]
    : [];
  const right = LEFT + WIDTH + RIGHT - 16;
  return [
    text(16, middle, "name", `${row}: ${figure.title}`),
    ...bars,
    ...goal,
    text(right, middle, "", peer, "end"),
  ];
}

function legend(ours: readonly string[]): string[] {
  return ours.flatMap((name, index) => {
    const x = LEFT + index * 110;
    return [
      `<rect class="ours${index}" x="${x}" y="56" width="12" height="12" rx="2"/>`,
      text(x + 18, 66, "", name),
    ];
  }).concat(
    vertical("goal", LEFT + ours.length * 110 + 6, 56, 68),
    text(LEFT + ours.length * 110 + 14, 66, "", "goal, where it is not 1×"),
  );
}

function axis(extent: number, bottom: number, x: (ratio: number) => number): string[] {
  const drawn: string[] = [];
  for (let power = -extent; power <= extent; power++) {
    const at = x(2 ** power);
    const label = power < 0 ? `1/${2 ** -power}×` : power === 0 ? "best peer" : `${2 ** power}×`;
    drawn.push(vertical(power === 0 ? "best" : "axis", at, TOP - 8, bottom));
    drawn.push(text(at, bottom + 18, "", label, "middle"));
  }
  return drawn;
}

function vertical(className: string, x: number, from: number, to: number): string {
  return `<line class="${className}" x1="${x}" x2="${x}" y1="${from}" y2="${to}"/>`;
}

function text(x: number, y: number, className: string, value: string, anchor = "start"): string {
  const escaped = value.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
  return `<text class="${className}" x="${round(x)}" y="${round(y)}" ` +
    `text-anchor="${anchor}">${escaped}</text>`;
}

function round(pixels: number): number {
  return Math.round(pixels * 10) / 10;
}
