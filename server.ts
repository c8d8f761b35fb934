/**
 * hello-world-server: the example service, a line protocol over TCP.
 *
 * @module
 */

import { CommanderError, Option } from "commander";
import { type ListenAddress, parseListenAddress } from "./lib/address.ts";
import {
  durationOption,
  program,
  run,
  value,
  wholeNumber,
  writeError,
} from "./lib/command_line.ts";
import type { Duration } from "./lib/duration.ts";
import { parseGreeting } from "./lib/protocol/session.ts";
import { serve } from "./lib/protocol/server.ts";
import { isSocketActivated } from "./lib/socket_activation.ts";

const NAME = "hello-world-server";

await run(NAME, async () => {
  // First of all: Deno cannot listen for signals any more once descriptors have run out.
  const stop = new AbortController();
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    Deno.addSignalListener(signal, () => stop.abort());
  }

  const command = program(NAME)
    .description('Answers "hello" with a greeting, and closes on "quit".')
    .argument(
      "[listen]",
      "[HOST:]PORT to listen on; without HOST all addresses. " +
        "Needed except under socket activation, where the passed socket is used",
      value(parseListenAddress),
    )
    .addOption(
      new Option("--greeting <text>", "the answer to hello").default("Hello world!")
        .argParser(value(parseGreeting)),
    )
    .addOption(
      new Option("--max-line <bytes>", "how long a line may be, its ending not counted")
        .default(1024).argParser(value(wholeNumber(1, 1024 * 1024))),
    );
  durationOption(
    command,
    "--exit-when-idle <duration>",
    "end when no connection was open for that long; 0s: as soon as nobody is there or waits",
    "none",
  );
  command.parse(Deno.args, { from: "user" });
  const options = command.opts<
    { greeting: string; exitWhenIdle: Duration; maxLine: number }
  >();
  const address: ListenAddress | undefined = command.processedArgs[0];
  const listen = isSocketActivated() ? "inherited" : address;
  if (listen === undefined) {
    throw new CommanderError(
      1,
      "commander.missingArgument",
      "missing argument: give [HOST:]PORT to listen on",
    );
  }

  const say = (sentence: string) => writeError(`${NAME}: ${sentence}`);
  await serve({ ...options, listen, stop: stop.signal, onListening: say, onError: say });
  return 0;
});
