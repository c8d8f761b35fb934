import type { Contender } from "./contenders/contender.ts";
import type { Stage } from "./stage.ts";
import { tell } from "../../lib/commands/output.ts";
import { messageOf } from "../../lib/message_of.ts";

/** Contenders that work here, with their versions; those that do not are told of. */
export async function installed(
  stage: Stage,
  contenders: readonly Contender[],
): Promise<Map<Contender, string>> {
  const there = new Map<Contender, string>();
  for (const contender of contenders) {
    try {
      if (contender.kind !== "direct") await (await stage.start(contender))[Symbol.asyncDispose]();
      there.set(contender, versionOf(contender));
    } catch (error) {
      const message = error instanceof Deno.errors.NotFound ? "not installed" : messageOf(error);
      tell(`${contender.name} is skipped: ${message}`);
    }
  }
  return there;
}

/** The first line that has a number such as 1.2 or a word of digits in it. */
function versionOf({ version: [command, ...args] }: Contender): string {
  if (command === undefined) return "";
  const { stdout, stderr } = new Deno.Command(command, { args }).outputSync();
  const said = new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
  return said.split("\n").find((line) => /\d/.test(line))?.trim() ?? "";
}
