/**
 * hello-world-server: the example service, a line protocol over TCP.
 *
 * @module
 */

import type { ListenAddress } from "./lib/address.ts";
import { run, usageError } from "./lib/command_line.ts";
import { writeError } from "./lib/standard_streams.ts";
import { refuseOldDeno } from "./lib/deno_version.ts";
import type { Duration } from "./lib/duration.ts";
import { SERVER, serverCommandLine } from "./lib/protocol/command_lines.ts";
import { serve } from "./lib/protocol/server.ts";
import { isSocketActivated } from "./lib/socket_activation.ts";

await run(SERVER, async () => {
  refuseOldDeno();
  // First of all: Deno cannot listen for signals any more once descriptors have run out.
  const stop = new AbortController();
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    Deno.addSignalListener(signal, () => stop.abort());
  }

  const command = serverCommandLine().parse(Deno.args, { from: "user" });
  const options = command.opts<
    { greeting: string; exitWhenIdle: Duration; maxLine: number }
  >();
  const address: ListenAddress | undefined = command.processedArgs[0];
  const listen = isSocketActivated() ? "inherited" : address;
  if (listen === undefined) {
    throw usageError("missing argument: give [HOST:]PORT to listen on");
  }

  const say = (sentence: string) => writeError(`${SERVER}: ${sentence}`);
  await serve({ ...options, listen, stop: stop.signal, onListening: say, onError: say });
  return 0;
});
