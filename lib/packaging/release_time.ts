import { resolve } from "node:path";
import { tool } from "./tools.ts";

/**
 * The time of the release: `$SOURCE_DATE_EPOCH`, or that of the last commit.
 *
 * @throws {Failure} when neither is known
 */
export async function releaseTime(): Promise<Date> {
  const root = resolve(import.meta.dirname ?? ".", "../..");
  const seconds = Deno.env.get("SOURCE_DATE_EPOCH") ??
    await tool("find the time of the last commit (or set SOURCE_DATE_EPOCH)", [
      ...["git", "-C", root, "log", "-1", "--format=%ct"],
    ]);
  return new Date(Number(seconds) * 1000);
}
