/**
 * `deno task fuzz`: random connections through a relay, with a receipt.
 *
 * @module
 */

import { report, run } from "../../lib/command_line.ts";
import { writeAll } from "../../lib/standard_streams.ts";
import { fuzz } from "./campaign.ts";
import { parseOptions } from "./options.ts";
import { describe, summary } from "./receipt.ts";

const NAME = "fuzz";

await run(NAME, async () => {
  const { relays, ...options } = parseOptions(Deno.args);
  let exitCode = 0;
  for (const kind of relays) {
    const threads = kind === "portable" ? 1 : options.threads;
    say(`The ${kind} relay, ${threads} threads, seed ${options.seed}`);
    const receipt = await fuzz({ ...options, kind, threads, user: null }, (soFar) => {
      say(summary(soFar));
    });
    for (const failure of receipt.failures) report(NAME, new Error(`${kind}: ${failure}`));
    say(describe(receipt));
    if (receipt.failures.length > 0) {
      exitCode = 1;
      say(
        `Again: --relay ${kind} --threads ${threads} --connections ${options.connections} ` +
          `--seed ${options.seed}`,
      );
    }
  }
  return exitCode;
});

function say(text: string): void {
  writeAll(Deno.stdout, `${text}\n`);
}
