import { runtimeVersion } from "../../lib/packaging/compile.ts";
import type { Content } from "../../lib/packaging/content.ts";
import { PROGRAMS } from "../../lib/packaging/programs.ts";
import { completions, manuals } from "../../lib/packaging/release.ts";
import { targetsOf } from "../../lib/packaging/targets.ts";
import { executables } from "../support/executables.ts";

/**
 * What a release of the executables that are tested is packed of.
 *
 * @param directory for what is made meanwhile
 */
export async function releasedContent(directory: string): Promise<Omit<Content, "version">> {
  const [target] = await targetsOf([], Deno.env.get("DENORT_BIN") ?? "/bin/true");
  if (target === undefined) throw new Error("There is no target for this machine");
  const time = new Date(1_700_000_000_000);
  // What is packed is linked to meanwhile, and tests of other files may be packing it as well.
  const copies = `${directory}/executables`;
  await Deno.mkdir(copies);
  for (const { executable } of Object.values(PROGRAMS)) {
    await Deno.copyFile(`${await executables()}/${executable}`, `${copies}/${executable}`);
  }
  return {
    target,
    deno: await runtimeVersion(),
    time,
    executables: copies,
    completions: await completions(),
    manuals: await manuals(`${directory}/man`, time),
    licenses: "Of libraries.\n",
  };
}
