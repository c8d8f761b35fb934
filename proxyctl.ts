/** proxyctl: controls a running disnix-tcp-proxy. */

import { run } from "./lib/command_line.ts";
import { NAME, runProxyctl, tellFailure } from "./lib/commands/program.ts";
import { refuseOldDeno } from "./lib/deno_version.ts";

if (import.meta.main) {
  await run(NAME, async () => {
    refuseOldDeno();
    return await runProxyctl(Deno.args);
  }, (error) => tellFailure(Deno.args, error));
}
