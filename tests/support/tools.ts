import { join } from "node:path";

/** Whether this machine has a command. */
export function isThere(command: string): boolean {
  if (command.includes("/")) return isExecutable(command);
  const directories = (Deno.env.get("PATH") ?? "").split(":");
  return directories.some((directory) => isExecutable(join(directory, command)));
}

function isExecutable(path: string): boolean {
  try {
    const { isFile, mode } = Deno.statSync(path);
    return isFile && ((mode ?? 0) & 0o111) !== 0;
  } catch {
    return false;
  }
}

/**
 * Defines a test, which is ignored where something is missing; its name then says what.
 *
 * @param missing what is missing; `null` if nothing is
 */
export function testWith(
  missing: string | null,
  name: string,
  test: (t: Deno.TestContext) => Promise<void>,
): void {
  const ignore = missing !== null;
  Deno.test({ name: ignore ? `${name} (ignored: ${missing})` : name, ignore, fn: test });
}

/** For {@linkcode testWith}: what is missing of these commands. */
export function without(...commands: string[]): string | null {
  const missing = commands.filter((command) => !isThere(command));
  return missing.length === 0 ? null : `no ${missing.join(", ")}`;
}

/** Why no process can be traced here; `null` if it can. */
export function whyNotTraced(): string | null {
  const missing = without("strace");
  if (missing !== null) return missing;
  const { success } = new Deno.Command("strace", { args: ["-o", "/dev/null", "true"] })
    .outputSync();
  return success ? null : "no process may be traced";
}

/**
 * Why closing a Unix socket does not end a read of it, nor lets its descriptor go, here; `null` if it
 * does. A control connection that says nothing then stays until its client leaves.
 */
export const whyReadsOutliveClosing: string | null = Deno.version.deno.startsWith("2.8.")
  ? "on Deno 2.8 a socket that is closed goes on being read"
  : null;
