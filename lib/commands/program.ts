/**
 * The command line of proxyctl.
 *
 * @module
 */

import { type Command, Option } from "commander";
import { type Address, parseAddress } from "../address.ts";
import { durationOption, program, throwing, value, wholeNumber } from "../command_line.ts";
import type { ControlClient } from "../control/client.ts";
import { EXIT } from "../control/exit_codes.ts";
import { parseFiniteDuration } from "../duration.ts";
import { completions, type Shell, SHELLS } from "./completions.ts";
import { connections } from "./connections.ts";
import { drain } from "./drain.ts";
import { findProxy } from "./find_proxy.ts";
import { kill } from "./kill.ts";
import { list } from "./list.ts";
import { metrics } from "./metrics.ts";
import { print } from "./output.ts";
import { KEEP, park } from "./park.ts";
import { defaultOwner } from "./owner.ts";
import { resume } from "./resume.ts";
import { retarget } from "./retarget.ts";
import { status } from "./status.ts";
import { upgrade } from "./upgrade.ts";
import { withDrain } from "./with_drain.ts";

/** The name of the executable. */
export const NAME = "proxyctl";

const EXIT_CODES = `
Exit codes:
  0  done
  1  unexpected error
  2  bad usage
  3  no proxy runs there
  4  the deadline passed; traffic was resumed, nothing was cut
  5  held by another owner
  6  permission denied
  7  upstream not reachable
  8  not in the state this needs, or no such connection
  9  the drain was ended by someone else, or the proxy stopped`;

/**
 * Runs proxyctl.
 *
 * @returns the exit code
 * @throws {CommanderError} for bad usage, and for `--help` and `--version` once they are printed
 */
export async function runProxyctl(args: readonly string[]): Promise<number> {
  if (args[0] === KEEP) {
    // Not before: what it is made of can only be loaded where it can run.
    const { keep } = await import("../keeper/main.ts");
    return await keep(args.slice(1));
  }
  let exitCode: number = EXIT.done;
  const root = named(program(NAME, EXIT.usage))
    .description("Controls a running disnix-tcp-proxy.")
    .enablePositionalOptions()
    .addHelpText("after", EXIT_CODES);

  const command = (name: string, about: string): Command =>
    throwing(root.command(name), `${NAME} ${name}`, EXIT.usage).description(about);
  /** A verb; what it does gets the proxy, and the options of the verb and of the root together. */
  const verb = (name: string, about: string): Command => named(command(name, about));
  type Action = (proxy: ControlClient, command: Command) => Promise<number | void>;
  const onProxy = (action: Action) => async (...parameters: unknown[]): Promise<void> => {
    const command = parameters.at(-1) as Command;
    exitCode = await action(await findProxy(command.optsWithGlobals()), command) ?? EXIT.done;
  };

  json(verb("status", "show how the proxy is doing"))
    .option("--watch", "show it again every second")
    .action(onProxy((proxy, command) => status(proxy, command.opts())));

  drainOptions(json(verb("drain", "hold new connections and wait until none is active")))
    .addOption(ownerOption())
    .option("--exclusive", "do not share a drain, even with the same owner")
    .option("--no-wait", "do not wait; the drain goes on by itself")
    .option("--dry-run", "only tell what would be done")
    .action(onProxy((proxy, command) => drain(proxy, owned(command))));

  json(verb("resume", "serve those who wait, and all who come"))
    .addOption(ownerOption())
    .option("--force", "even if another owner holds the drain")
    .option(
      "--wait-upstream <duration>",
      "first wait until the upstream answers",
      value(parseFiniteDuration),
    )
    .action(onProxy((proxy, command) => resume(proxy, owned(command))));

  json(verb("park", "while drained: keep those who wait, so that the proxy can be stopped"))
    .addOption(
      new Option("--for <duration>", "how long they are kept for the next proxy")
        .argParser(value(parseFiniteDuration)).default(parseFiniteDuration("5m"), "5m"),
    )
    .action(onProxy((proxy, command) => park(proxy, command.opts())));

  json(verb("connections", "list the active connections"))
    .action(onProxy((proxy, command) => connections(proxy, command.opts())));

  json(verb("kill", "cut one connection: both sides see a reset"))
    .argument("<id>", "the connection's id", value(wholeNumber(0)))
    .action(onProxy((proxy, command) => {
      const [id] = command.processedArgs as [number];
      return kill(proxy, id, command.opts());
    }));

  json(verb("retarget", "send new connections to another upstream, without testing it"))
    .argument("<upstream>", "HOST:PORT of the service", value(parseAddress))
    .action(onProxy((proxy, command) => {
      const [upstream] = command.processedArgs as [Address];
      return retarget(proxy, upstream, command.opts());
    }));

  json(verb("upgrade", "replace the proxy's process by a new one of its executable"))
    .action(onProxy((proxy, command) => upgrade(proxy, command.opts())));

  drainOptions(verb("with-drain", "run a command while drained, and resume whatever happens"))
    .argument("<command...>", "the command, best after --")
    .passThroughOptions()
    .action(onProxy((proxy, command) => {
      const [words] = command.processedArgs as [string[]];
      return withDrain(proxy, words, command.opts());
    }));

  json(command("list", "list the proxies that run"))
    .action(async (options) => {
      exitCode = await list(options);
    });

  verb("metrics", "print the metrics, as Prometheus reads them")
    .action(onProxy((proxy) => metrics(proxy)));

  const shells = command("completions", "print a completion script for a shell");
  shells.addArgument(shells.createArgument("<shell>").choices([...SHELLS]))
    .action((shell: Shell) => print(completions(root, shell)));

  await root.parseAsync(args, { from: "user" });
  return exitCode;
}

/** The options that name a proxy stand before the verb or after it. */
function named(command: Command): Command {
  return command
    .option("--runtime-dir <dir>", "the proxy's runtime directory")
    .option("--port <n>", "the proxy's port", value(wholeNumber(1, 65535)));
}

function json(command: Command): Command {
  return command.option("--json", "print the result as JSON");
}

function ownerOption(): Option {
  return new Option("--owner <id>", "who holds the drain (default: $SUDO_USER, else the user)");
}

/** The options of a verb, with the default owner if none was given. */
function owned(command: Command) {
  const options = command.opts();
  return { ...options, owner: options["owner"] ?? defaultOwner() } as
    & { owner: string }
    & Parameters<typeof drain>[1];
}

function drainOptions(command: Command): Command {
  durationOption(command, "--timeout <duration>", "how long it may take to become drained", "60s");
  durationOption(command, "--lease <duration>", "how long it may then stay drained", "1h");
  return command
    .option("--reason <text>", "why, for those who come across the drain")
    .option(
      "--close-idle <duration>",
      "cut connections without a byte for that long",
      value(parseFiniteDuration),
    )
    .option("--close-remaining", "cut what is left when the timeout is over, instead of failing");
}
