import type { Goal, Line, Range } from "../figures.ts";

/** Lines as a table for people: contenders beside each other, ratios, and the goals. */
export function resultTable(lines: readonly Line[], contenders: readonly string[]): string {
  const ours = contenders.filter((name) => lines.some(({ ratios }) => name in ratios));
  const heads = ["", ...contenders, ...ours.map((name) => `${name} : best`), "goal"];
  const rows = lines.map((line) => [
    `${line.row}: ${line.figure.title}`,
    ...contenders.map((name) => {
      const text = number(line.values[name]);
      return name === line.bestPeer ? `${text}*` : text;
    }),
    ...ours.map((name) => ratio(line.ratios[name], line.ranges[name])),
    goal(line),
  ]);
  return `${
    columns([heads, ...rows])
  }\n\n* the best of the others; in parentheses the least and the most of all turns\n`;
}

/** A number for people: with about three digits. */
export function number(value: number | undefined): string {
  if (value === undefined) return "–";
  const size = Math.abs(value);
  return value.toFixed(size >= 99.95 ? 0 : size >= 9.995 ? 1 : 2);
}

/** A ratio, and between which it was, turn by turn. */
export function ratio(value: number | undefined, range?: Range): string {
  if (value === undefined) return "–";
  const text = value.toFixed(2);
  if (range === undefined || range.least === range.most) return text;
  return `${text} (${range.least.toFixed(2)}–${range.most.toFixed(2)})`;
}

function goal({ figure, met }: Line): string {
  if (figure.goal === undefined) return "";
  return `${describeGoal(figure.goal)} ${met === null ? "not measured" : met ? "met" : "MISSED"}`;
}

/** `≤ 0.95×`, of the best peer, or `≤ 150`. */
export function describeGoal(goal: Goal): string {
  return "ratio" in goal ? `≤ ${goal.ratio}×` : `≤ ${goal.atMost}`;
}

/** Columns of text; all but the first and the last are aligned to the right. */
function columns(rows: readonly (readonly string[])[]): string {
  const last = (rows[0]?.length ?? 0) - 1;
  const widths = Array.from(
    { length: last + 1 },
    (_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)),
  );
  return rows.map((row) =>
    row.map((cell, column) => {
      const width = widths[column] ?? 0;
      return column === 0 || column === last ? cell.padEnd(width) : cell.padStart(width);
    }).join("  ").trimEnd()
  ).join("\n");
}
