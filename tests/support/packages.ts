/**
 * Fetches packages of npm that only tests need, which are in neither `deno.json` nor `deno.lock`.
 *
 * @param specifiers with their versions: `npm:axe-core@4.14.1`
 * @returns why they are not there, for `testWith`; `null` if they are
 */
export async function notFetched(...specifiers: string[]): Promise<string | null> {
  const args = ["cache", "--quiet", "--no-lock", ...specifiers];
  const { success } = await new Deno.Command(Deno.execPath(), { args, stdin: "null" }).output();
  return success ? null : `no ${specifiers.join(" or ")}`;
}
