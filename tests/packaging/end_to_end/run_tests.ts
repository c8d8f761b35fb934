import { TemporaryDirectory } from "../../support/temporary.ts";
import { type Outcomes, outcomes } from "./outcomes.ts";

/** How tests are run. */
export interface Surroundings {
  /** Where the files are named from. */
  readonly cwd: string;
  readonly env: Record<string, string>;
  /** What becomes of what they say. */
  readonly output: "inherit" | "null";
}

/** Runs tests. @param args of `deno test`, which options and files they are */
export async function runTests(
  args: readonly string[],
  { cwd, env, output }: Surroundings,
): Promise<Outcomes> {
  await using temporary = await TemporaryDirectory.make();
  const report = `${temporary.path}/report.xml`;
  await new Deno.Command(Deno.execPath(), {
    args: ["test", "--allow-all", "--no-check", `--junit-path=${report}`, ...args],
    cwd,
    env,
    stdout: output,
    stderr: output,
  }).spawn().status;
  return outcomes(await Deno.readTextFile(report));
}

/**
 * Runs a test again, with none beside it.
 *
 * @param name its name; of a step, the whole test is run
 * @param places where it is: a report does not always say in which file
 * @returns whether it passes now
 */
export async function passesAlone(
  name: string,
  places: readonly string[],
  surroundings: Surroundings,
): Promise<boolean> {
  const [test = ""] = name.split(" > ");
  const filter = `--filter=/^${RegExp.escape(test)}$/`;
  // So that all else, of which nothing is run, is looked through sooner.
  const { passed } = await runTests(["--parallel", filter, ...places], surroundings);
  return passed.has(name);
}
