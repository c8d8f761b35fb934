import { run } from "../command_line.ts";
import { refuseOldDeno } from "../deno_version.ts";
import { tellPredecessor } from "./predecessor.ts";
import { NAME, parseOptions } from "./options.ts";
import { startProxy } from "./proxy.ts";
import { proxySignals, startUnlessStopped } from "./signals.ts";

/** Runs a proxy to its end. */
export async function main(): Promise<void> {
  await run(NAME, async () => {
    refuseOldDeno();
    const options = parseOptions(Deno.args);
    const signals = await proxySignals();
    const proxy = await startUnlessStopped(startProxy(options), signals.stop);
    signals.obey(proxy);
    const stopped = signals.stop.then(() => proxy.stop(signals.cutShort));
    await Promise.race([stopped, proxy.ended]);
    return 0;
  }, tellPredecessor);
}
