import { tell } from "../../lib/commands/output.ts";
import { messageOf } from "../../lib/message_of.ts";
import type { Contender } from "./contenders/contender.ts";
import type { Stage } from "./stage.ts";

/** Contenders that work here, with their versions; those that do not are told of. */
export async function installed(
  stage: Stage,
  contenders: readonly Contender[],
): Promise<Map<Contender, string>> {
  const there = new Map<Contender, string>();
  for (const contender of contenders) {
    try {
      const version = versionOf(contender);
      if (contender.kind !== "direct") await (await stage.start(contender))[Symbol.asyncDispose]();
      there.set(contender, version);
    } catch (error) {
      const message = error instanceof Deno.errors.NotFound ? "not installed" : messageOf(error);
      tell(`${contender.name} is skipped: ${message}`);
    }
  }
  return there;
}

/**
 * The first line with a digit in it.
 *
 * @throws {Deno.errors.NotFound} when it is not installed
 */
function versionOf({ version: [command, ...args] }: Contender): string {
  if (command === undefined) return "";
  const { stdout, stderr } = new Deno.Command(command, { args }).outputSync();
  const said = new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
  return said.split("\n").find((line) => /\d/.test(line))?.trim() ?? "";
}
