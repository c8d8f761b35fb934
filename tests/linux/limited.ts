import assert from "node:assert/strict";
import { unprivileged } from "../relay/machine.ts";

/** Words before a command that give it so many descriptors, and no right to have more. */
export function limited(descriptors: number): string[] {
  return ["sh", "-c", `ulimit -n ${descriptors} && exec "$@"`, "sh", ...unprivileged()];
}

/** What a script says that runs in a process of its own. */
export async function said(through: readonly string[], script: string): Promise<string> {
  const [command = "", ...args] = [...through, Deno.execPath(), "eval", "--quiet", script];
  const { stdout, stderr } = await new Deno.Command(command, { args }).output();
  assert.equal(new TextDecoder().decode(stderr), "");
  return new TextDecoder().decode(stdout).trimEnd();
}
