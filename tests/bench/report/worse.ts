import type { Line, Range } from "../figures.ts";
import { ratio } from "./table.ts";

/** What of a recorded run is compared, as JSON has it. */
interface Recorded {
  readonly date: string;
  readonly lines: readonly {
    readonly row: string;
    readonly title: string;
    readonly ratios: Readonly<Record<string, number>>;
    readonly ranges?: Readonly<Record<string, Range>>;
  }[];
}

/**
 * Names the figures that are worse than they were in a recorded run: not one turn of now has as good
 * a ratio to the best peer as the worst one had then.
 *
 * @param recorded the text of its file
 * @returns a line for each
 * @throws {SyntaxError} when that is no such file
 */
export function worse(recorded: string, lines: readonly Line[]): string[] {
  const { date, lines: before } = JSON.parse(recorded) as Recorded;
  return lines.flatMap(({ row, figure, ratios, ranges }) => {
    const then = before.find((line) => line.row === row && line.title === figure.title);
    return Object.entries(ratios).flatMap(([name, now]) => {
      const [was, old, range] = [then?.ratios[name], then?.ranges?.[name], ranges[name]];
      if (was === undefined || old === undefined || range === undefined) return [];
      const isWorse = figure.better === "less" ? range.least > old.most : range.most < old.least;
      if (!isWorse) return [];
      return `Worse than on ${date.slice(0, 10)}: ${row}: ${figure.title}, ${name}: ` +
        `${ratio(now, range)} of the best peer, then ${ratio(was, old)}`;
    });
  });
}
