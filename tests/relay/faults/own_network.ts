/**
 * Runs a script of this folder in a network namespace of its own, with loopback up.
 *
 * @param prepare what the shell does there first, as root
 * @returns all that it said
 */
export async function runInOwnNetwork(
  prepare: string,
  script: string,
  ...args: string[]
): Promise<string> {
  const { stdout, stderr } = await new Deno.Command("unshare", {
    args: [
      ...["--net", "sh", "-c", `ip link set lo up && ${prepare} && exec "$@"`, "sh"],
      ...[Deno.execPath(), "run", "--quiet", "--no-check", "--allow-all"],
      new URL(script, import.meta.url).pathname,
      ...args,
    ],
  }).output();
  return new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
}
