/**
 * `deno task bench`: speed, side by side with peers in the same run, in turns.
 *
 * @module
 */

import { run } from "../../lib/command_line.ts";
import { Failure } from "../../lib/failure.ts";
import { print, tell } from "../../lib/commands/output.ts";
import { raiseDescriptorLimit } from "../../lib/linux/resource_limit.ts";
import { interruption } from "../support/interruption.ts";
import { Scene } from "../support/scene.ts";
import { type Line, lineOf, type Turns } from "./figures.ts";
import { installed } from "./installed.ts";
import { DESCRIPTORS } from "./load/client.ts";
import { type Failed, measure } from "./measure.ts";
import { type BenchOptions, parseOptions } from "./options.ts";
import { type Result, resultJson } from "./report/json.ts";
import { recordedSvg } from "./report/recorded.ts";
import { resultTable } from "./report/table.ts";
import { worse } from "./report/worse.ts";
import { ROWS } from "./rows/all.ts";
import { Stage } from "./stage.ts";

await run("bench", async () => {
  const options = parseOptions(Deno.args);
  const interrupted = interruption();
  // What is started here inherits it.
  raiseDescriptorLimit(DESCRIPTORS);
  const result = await play(options, interrupted);
  print(resultTable(result.lines, Array.from(result.contenders.keys(), ({ name }) => name)));
  await write(options, result);
  for (const line of await worseThan(options.against, result.lines)) tell(line);
  for (const { contender, row, message } of result.failed) {
    tell(`${contender} failed in ${row}: ${message}`);
  }
  return result.failed.length === 0 ? 0 : 1;
});

async function play(options: BenchOptions, interrupted: Promise<never>): Promise<Result> {
  await using scene = await Scene.open();
  await using stage = await Promise.race([Stage.open(scene, options.contenders), interrupted]);
  return await Promise.race([bench(stage, options), interrupted]);
}

async function bench(
  stage: Stage,
  { contenders: chosen, turns, seconds, rows }: BenchOptions,
): Promise<Result> {
  const date = new Date();
  const there = await installed(stage, chosen);
  const contenders = [...there.keys()];
  const measured: Record<string, Turns> = {};
  const lines: Line[] = [];
  const failed: Failed[] = [];
  for (const row of ROWS.filter(({ name }) => rows.includes(name))) {
    const done = await measure(stage, row, contenders, { turns, seconds });
    measured[row.name] = done.turns;
    failed.push(...done.failed);
    lines.push(...row.figures.map((one) => lineOf(row.name, one, done.turns, contenders)));
  }
  return { date, turns, seconds, contenders: there, lines, measured, failed };
}

async function write(options: BenchOptions, result: Result): Promise<void> {
  const output = () =>
    options.output ?? Deno.makeTempDirSync({ prefix: "disnix-tcp-proxy-bench-" });
  let directory: string | null = null;
  const path = (given: string | undefined, name: string) =>
    given ?? `${directory ??= output()}/${name}`;
  const json = resultJson(result);
  const files = {
    [path(options.json, "bench.json")]: json,
    [path(options.svg, "bench.svg")]: recordedSvg(json),
  };
  if (options.output !== undefined) await Deno.mkdir(options.output, { recursive: true });
  for (const [file, text] of Object.entries(files)) {
    await Deno.writeTextFile(file, text).catch((error) => {
      throw new Failure(`Failed to write ${file}: ${error.message}`);
    });
    tell(`Written: ${file}`);
  }
}

/** Says what got worse; nothing if there is nothing to compare with. */
async function worseThan(file: string, lines: readonly Line[]): Promise<string[]> {
  const recorded = await Deno.readTextFile(file).catch((error) => {
    if (error instanceof Deno.errors.NotFound) return null;
    throw new Failure(`Failed to read ${file}: ${error.message}`);
  });
  return recorded === null ? [] : worse(recorded, lines);
}
