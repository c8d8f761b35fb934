/** proxyctl: controls a running disnix-tcp-proxy. */

import { run } from "./lib/command_line.ts";
import { NAME, runProxyctl } from "./lib/commands/program.ts";

if (import.meta.main) {
  await run(NAME, () => runProxyctl(Deno.args));
}
