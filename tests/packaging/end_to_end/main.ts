/**
 * Runs the end-to-end tests on the executables: `deno task test:executables`. All must pass but those
 * that are listed as failing. It is said which of those passed, or were not there.
 *
 * @module
 */

import { run } from "../../../lib/command_line.ts";
import { Failure } from "../../../lib/failure.ts";
import { executables, whyNoExecutables } from "../../support/executables.ts";
import { TemporaryDirectory } from "../../support/temporary.ts";
import { FAILING } from "./failing.ts";
import { outcomes } from "./outcomes.ts";

/** Where tests start the programs. Those of deployments do so too, and say nothing new here. */
const PLACES = [
  // First those that wait for long.
  ...["proxy", "runtime_directory", "handover", "keeper", "control", "commands"],
  ...["demo", "protocol", "reaper", "storm"],
  ...["client_test.ts", "server_test.ts", "proxy_test.ts"],
].map((name) => `tests/${name}`);

await run("test:executables", async () => {
  if (whyNoExecutables !== null) throw new Failure(`Nothing to run: ${whyNoExecutables}`);
  await using temporary = await TemporaryDirectory.make();
  const report = `${temporary.path}/report.xml`;
  await new Deno.Command(Deno.execPath(), {
    args: [
      ...["test", "--parallel", "--allow-all", "--no-check", `--junit-path=${report}`],
      ...PLACES,
    ],
    cwd: new URL("../../../", import.meta.url),
    // Some of those that fail wait until their patience is over.
    env: { EXECUTABLES: await executables(), DENO_JOBS: "4", PATIENCE: "60" },
  }).spawn().status;
  const { passed, failed } = outcomes(await Deno.readTextFile(report));
  const listed = FAILING.flatMap(({ tests }) => tests);
  const sometimes = FAILING.flatMap(({ sometimes = [] }) => sometimes);
  const known = [...listed, ...sometimes];
  const wrong = [...failed].filter((name) => !known.includes(name));
  const notes = [...listed].filter((name) => !failed.has(name)).map((name) =>
    `${
      passed.has(name) ? "passes, so take it off the list" : "is listed, but did not run"
    }: ${name}`
  );
  const summary = [`${passed.size} passed, ${failed.size} failed on the executables`, ...notes];
  if (wrong.length > 0) {
    throw new Failure([...summary, ...wrong.map((name) => `fails: ${name}`)].join("\n  "));
  }
  // deno-lint-ignore no-console
  console.log(summary.join("\n  "));
  return 0;
});
