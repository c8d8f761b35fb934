import { join } from "node:path";
import { until } from "./until.ts";

/** Makes a control group, in the hierarchy that systemd likes. The stack removes it. */
export async function makeControlGroup(stack: AsyncDisposableStack): Promise<string> {
  const root = whereControlGroupsAre();
  if (root === null) throw new Error("no control groups, version 2");
  const group = await Deno.makeTempDir({ dir: root, prefix: "disnix-tcp-proxy-" });
  stack.defer(async () => {
    // The kernel needs a moment to see that those who were in it are gone.
    const find = new Deno.Command("find", { args: [group, "-depth", "-type", "d", "-delete"] });
    await until(async () => (await find.output()).success, (isGone) => isGone);
  });
  return group;
}

/** Where the hierarchy is that systemd likes, version 2; `null` if we may make no groups there. */
export function whereControlGroupsAre(): string | null {
  for (const path of ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"]) {
    try {
      Deno.removeSync(Deno.makeTempDirSync({ dir: path }));
      if (Deno.statSync(join(path, "cgroup.procs")).isFile) return path;
    } catch { /* not here */ }
  }
  return null;
}
