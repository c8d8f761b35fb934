import type { Figure, Line } from "../figures.ts";
import { resultSvg } from "./svg.ts";

/** A line, as JSON has it. */
interface RecordedLine extends Pick<Line, "row" | "values" | "ratios" | "bestPeer"> {
  readonly title: string;
  readonly better: Figure["better"];
  readonly goal: Figure["goal"] | null;
}

/** What of a recorded run is drawn. */
interface Recorded {
  readonly date: string;
  readonly machine: { readonly processors: number };
  readonly turns: number;
  readonly seconds: number;
  readonly lines: readonly RecordedLine[];
}

/**
 * Draws a run that was recorded.
 *
 * @param recorded the text of its file
 * @throws {SyntaxError} when that is no such file
 */
export function recordedSvg(recorded: string): string {
  const { date, machine, turns, seconds, lines } = JSON.parse(recorded) as Recorded;
  const caption = `${date.slice(0, 10)}, ${machine.processors} processors, ` +
    `the median of ${turns} turns of ${seconds} s; beside the bars: the ratio, and our number`;
  return resultSvg(
    lines.map(({ title, better, goal, ...line }) => ({
      ...line,
      figure: { title, better, ...(goal && { goal }) },
    })),
    caption,
  );
}
