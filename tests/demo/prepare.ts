import { Failure } from "../../lib/failure.ts";
import { PROGRAMS } from "../../lib/packaging/programs.ts";

/**
 * Gets what the programs need before the clock starts: the first time after a checkout their
 * packages are downloaded, which is seen on stderr.
 */
export async function prepare(): Promise<void> {
  if (Deno.env.has("EXECUTABLES")) return;
  const { success } = await new Deno.Command(Deno.execPath(), {
    args: ["cache", ...Object.values(PROGRAMS).map(({ script }) => script)],
    cwd: new URL("../../", import.meta.url),
  }).spawn().status;
  if (!success) throw new Failure("Failed to get the packages that the programs need");
}
