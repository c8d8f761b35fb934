/** Whether this machine has a command. */
export function isThere(command: string): boolean {
  const { success } = new Deno.Command("sh", { args: ["-c", `command -v "$0"`, command] })
    .outputSync();
  return success;
}

/**
 * Defines a test, which is ignored where something is missing; its name then says what.
 *
 * @param missing what is missing; `null` if nothing is
 */
export function testWith(missing: string | null, name: string, test: () => Promise<void>): void {
  const ignore = missing !== null;
  Deno.test({ name: ignore ? `${name} (ignored: ${missing})` : name, ignore, fn: test });
}

/** For {@linkcode testWith}: what is missing of these commands. */
export function without(...commands: string[]): string | null {
  const missing = commands.filter((command) => !isThere(command));
  return missing.length === 0 ? null : `no ${missing.join(", ")}`;
}
