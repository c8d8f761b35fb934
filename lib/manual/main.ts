/**
 * Writes the manual pages: `deno task man [--output DIR]`, then `man dist/man/man1/proxyctl.1`.
 *
 * The date in them is `$SOURCE_DATE_EPOCH`, or else that of the last commit.
 *
 * @module
 */

import { join, resolve } from "node:path";
import { program, run } from "../command_line.ts";
import { releaseTime } from "../packaging/release_time.ts";
import { manualPages } from "./pages.ts";

if (import.meta.main) {
  await run("man", async () => {
    const command = program("man")
      .description("Writes the manual pages of the four programs.")
      .option("--output <directory>", "where they are put", "dist/man")
      .parse(Deno.args, { from: "user" });
    const { output } = command.opts<{ output: string }>();
    const directory = join(resolve(output), "man1");
    await Deno.mkdir(directory, { recursive: true });
    const date = (await releaseTime()).toISOString().slice(0, 10);
    for (const [name, text] of manualPages(date)) {
      const path = join(directory, `${name}.1`);
      await Deno.writeTextFile(path, text);
      // deno-lint-ignore no-console
      console.log(path);
    }
    return 0;
  });
}
