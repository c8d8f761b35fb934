/**
 * The proxy with a relay that breaks when it is told to on stdin: the program of broken_test.ts.
 *
 * @module
 */

import { run } from "../../lib/command_line.ts";
import { listen } from "../../lib/proxy/listen.ts";
import { NAME, parseOptions } from "../../lib/proxy/options.ts";
import { startProxy } from "../../lib/proxy/proxy.ts";
import { proxySignals } from "../../lib/proxy/signals.ts";

await run(NAME, async () => {
  const signals = await proxySignals();
  const proxy = await startProxy(parseOptions(Deno.args), async (options, log, events) => {
    const relay = await listen(options, log, events);
    void Deno.stdin.read(new Uint8Array(1)).then(() => {
      // As a relay that broke: nothing that is asked of it comes to an end any more.
      relay.hold = relay.stopListening = () => new Promise<never>(() => {});
      events.broken(new Error("out of luck"));
    });
    return relay;
  });
  const stopped = signals.stop.then(() => proxy.stop(signals.cutShort));
  await Promise.race([stopped, proxy.ended]);
  return 0;
});
