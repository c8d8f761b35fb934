/**
 * Runs the end-to-end tests on the executables: `deno task test:executables`. All must pass but those
 * that are listed as failing. It is said which of those passed, or were not there.
 *
 * A few that fail are run again, each alone, and it is said which of them passed then: where the machine
 * has much else to do, it may have been too slow for a limit of time that the programs have themselves.
 *
 * @module
 */

import { run } from "../../../lib/command_line.ts";
import { Failure } from "../../../lib/failure.ts";
import { executables, whyNoExecutables } from "../../support/executables.ts";
import { FAILING } from "./failing.ts";
import { passesAlone, runTests, type Surroundings } from "./run_tests.ts";

/** More than so many do not fail by chance. */
const MOST_BY_CHANCE = 12;

/** Where tests start the programs. Those of deployments do so too, and say nothing new here. */
const PLACES = [
  // First those that wait for long.
  ...["proxy", "runtime_directory", "handover", "keeper", "control", "commands"],
  ...["demo", "protocol", "reaper", "storm"],
  ...["client_test.ts", "server_test.ts", "proxy_test.ts"],
].map((name) => `tests/${name}`);

await run("test:executables", async () => {
  if (whyNoExecutables !== null) throw new Failure(`Nothing to run: ${whyNoExecutables}`);
  const surroundings: Surroundings = {
    cwd: new URL("../../../", import.meta.url).pathname,
    env: { EXECUTABLES: await executables(), EVERY_SETTING: "1" },
    output: "inherit",
  };
  // Some of those that fail wait until their patience is over.
  const env = { ...surroundings.env, DENO_JOBS: "3", PATIENCE: "60" };
  const { passed, failed } = await runTests(["--parallel", ...PLACES], { ...surroundings, env });
  const listed = FAILING.flatMap(({ tests }) => tests);
  const sometimes = FAILING.flatMap(({ sometimes = [] }) => sometimes);
  const known = [...listed, ...sometimes];
  const wrong = new Set([...failed].filter((name) => !known.includes(name)));
  const notes = listed.filter((name) => !failed.has(name)).map((name) =>
    `${
      passed.has(name) ? "passes, so take it off the list" : "is listed, but did not run"
    }: ${name}`
  );
  for (const name of wrong.size > MOST_BY_CHANCE ? [] : wrong) {
    if (!await passesAlone(name, PLACES, surroundings)) continue;
    wrong.delete(name);
    notes.push(`failed once, and passed when it was run again: ${name}`);
  }
  const summary = [`${passed.size} passed, ${failed.size} failed on the executables`, ...notes];
  if (wrong.size > 0) {
    throw new Failure(
      [...summary, ...[...wrong].map((name) => `fails: ${name}`)].join("\n  "),
    );
  }
  // deno-lint-ignore no-console
  console.log(summary.join("\n  "));
  return 0;
});
