import { cpus, release, totalmem } from "node:os";
import type { Contender } from "../contenders/contender.ts";
import type { Line, Turns } from "../figures.ts";
import type { Failed } from "../measure.ts";

/** All that a run came to. */
export interface Result {
  readonly date: Date;
  readonly turns: number;
  readonly seconds: number;
  /** Those that were there, with their versions. */
  readonly contenders: ReadonlyMap<Contender, string>;
  readonly lines: readonly Line[];
  /** Every number of every turn, by row. */
  readonly measured: Readonly<Record<string, Turns>>;
  readonly failed: readonly Failed[];
}

/** The result as JSON, with the machine that it is of. */
export function resultJson(result: Result): string {
  const { date, turns, seconds, contenders, lines, measured, failed } = result;
  const [processor] = cpus();
  return `${
    JSON.stringify(
      {
        date: date.toISOString(),
        machine: {
          processor: processor?.model ?? null,
          processors: cpus().length,
          memoryMiB: Math.round(totalmem() / 1024 ** 2),
          kernel: `${Deno.build.os} ${release()}`,
          architecture: Deno.build.arch,
        },
        deno: Deno.version.deno,
        ours: Deno.env.has("EXECUTABLES") ? "compiled" : "from source",
        turns,
        seconds,
        contenders: Array.from(contenders, ([{ name, kind }, version]) => ({
          name,
          kind,
          version,
        })),
        lines: lines.map(({ figure: { title, better, turn = "median", goal }, ...line }) => ({
          row: line.row,
          title,
          better,
          turn,
          values: line.values,
          bestPeer: line.bestPeer,
          ratios: line.ratios,
          ranges: line.ranges,
          goal: goal ?? null,
          met: line.met,
        })),
        measured,
        failed,
      },
      null,
      2,
    )
  }\n`;
}
