import { Failure } from "../failure.ts";

/**
 * Runs commands of which each reads what the one before writes.
 *
 * @param what is being done, for the message
 * @param to the file that the last one writes to
 * @throws {Failure} when one fails
 */
export async function pipeline(
  what: string,
  commands: readonly (readonly string[])[],
  to: string,
): Promise<void> {
  const words = commands.map((command) => command.map(quoted).join(" ")).join(" | ");
  await tool(what, ["bash", "-c", `set -o pipefail; ${words} >${quoted(to)}`]);
}

/**
 * Runs a command.
 *
 * @param what is being done, for the message
 * @returns what it wrote
 * @throws {Failure} when it fails
 */
export async function tool(
  what: string,
  [file = "", ...args]: readonly string[],
  options: { readonly env?: Record<string, string>; readonly cwd?: string } = {},
): Promise<string> {
  try {
    const command = new Deno.Command(file, { args, stdin: "null", ...options });
    const { success, stdout, stderr } = await command.output();
    const decoder = new TextDecoder();
    if (!success) throw new Failure(`Failed to ${what}: ${decoder.decode(stderr).trim()}`);
    // Warnings.
    Deno.stderr.writeSync(stderr);
    return decoder.decode(stdout);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) {
      throw new Failure(`Failed to ${what}: there is no ${file}, install it`);
    }
    if (!(error instanceof Deno.errors.PermissionDenied)) throw error;
    throw new Failure(`Failed to ${what}: ${file} cannot be run`);
  }
}

function quoted(word: string): string {
  return `'${word.replaceAll("'", "'\\''")}'`;
}
