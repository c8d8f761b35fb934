/**
 * `deno task storm`: upgrade after upgrade under load, with a receipt.
 *
 * @module
 */

import { report, run } from "../../lib/command_line.ts";
import { writeAll } from "../../lib/standard_streams.ts";
import { interruption } from "../support/interruption.ts";
import { Scene } from "../support/scene.ts";
import { parseOptions } from "./options.ts";
import { describe, isClean, json } from "./receipt.ts";
import { Storm } from "./upgrades.ts";

const NAME = "storm";

await run(NAME, async () => {
  const options = parseOptions(Deno.args);
  const interrupted = interruption();
  await using scene = await Scene.open();
  using storm = await Storm.prepare(scene, options);
  let exitCode = 0;
  try {
    await Promise.race([storm.run(), interrupted]);
  } catch (error) {
    exitCode = report(NAME, error);
  }
  const receipt = await storm.receipt();
  for (const failure of receipt.failures) report(NAME, new Error(failure));
  writeAll(Deno.stdout, options.json ? json(receipt) : describe(receipt));
  return exitCode === 0 && !isClean(receipt) ? 1 : exitCode;
});
