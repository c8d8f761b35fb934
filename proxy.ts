/** disnix-tcp-proxy: a TCP proxy that can be drained, for upgrades that no client sees. */

import { run } from "./lib/command_line.ts";
import { NAME, parseOptions } from "./lib/proxy/options.ts";
import { tellPredecessor } from "./lib/proxy/failure.ts";
import { startProxy } from "./lib/proxy/proxy.ts";
import { stopSignals } from "./lib/signals.ts";

if (import.meta.main) {
  await run(NAME, async () => {
    const options = parseOptions(Deno.args);
    const stopSignal = stopSignals();
    const proxy = await startProxy(options);
    const stopped = stopSignal().then(() => proxy.stop(stopSignal()));
    await Promise.race([stopped, proxy.ended]);
    return 0;
  }, tellPredecessor);
}
