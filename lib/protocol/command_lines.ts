/**
 * The command lines of the example's server and client.
 *
 * @module
 */

import { type Command, Option } from "commander";
import { parseAddress, parseListenAddress } from "../address.ts";
import { durationOption, program, value, wholeNumber } from "../command_line.ts";
import { parseGreeting } from "./session.ts";

/** The name of the server's executable. */
export const SERVER = "hello-world-server";

/** The name of the client's executable. */
export const CLIENT = "hello-world-client";

/** The environment variable that names the server for the client. */
export const SERVER_VARIABLE = "HELLO_WORLD_SERVER";

/** The command line of the server. */
export function serverCommandLine(): Command {
  const command = program(SERVER)
    .summary("example service, to try disnix-tcp-proxy with")
    .description('Answers "hello" with a greeting, and closes on "quit".')
    .argument(
      "[listen]",
      "[HOST:]PORT to listen on; without HOST, or with *, all addresses. " +
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
  return command;
}

/** The command line of the client. */
export function clientCommandLine(): Command {
  return program(CLIENT)
    .summary("talk to hello-world-server")
    .description(
      "Sends lines to a hello-world-server and prints its replies: those of stdin, or on a " +
        'terminal those that you type. Say "hello" or "quit"; Ctrl-D ends your side.',
    )
    .argument(
      "[server]",
      `HOST:PORT of the server (default: $${SERVER_VARIABLE})`,
      value(parseAddress),
    );
}
