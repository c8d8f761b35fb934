/**
 * Whether a tool that tests need does not work here; says so, because those tests are ignored.
 *
 * @param command a harmless use of the tool
 */
export async function isMissing(...command: [string, ...string[]]): Promise<boolean> {
  const [tool, ...args] = command;
  const works = await succeeds(tool, args);
  // deno-lint-ignore no-console
  if (!works) console.warn(`Tests that need ${tool} are ignored: it is not installed`);
  return !works;
}

async function succeeds(tool: string, args: string[]): Promise<boolean> {
  const quiet = { stdin: "null", stdout: "null", stderr: "null" } as const;
  try {
    return (await new Deno.Command(tool, { args, ...quiet }).output()).success;
  } catch {
    // There is no such command.
    return false;
  }
}
