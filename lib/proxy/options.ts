/**
 * The command line of the proxy.
 *
 * @module
 */

import type { LogLevel } from "@logtape/logtape";
import { Option } from "commander";
import { type Address, type ListenAddress, parseAddress, parseListenAddress } from "../address.ts";
import { durationOption, program, value, wholeNumber } from "../command_line.ts";
import type { Duration } from "../duration.ts";
import type { LogFormat } from "./log.ts";

/** The name of the executable. */
export const NAME = "disnix-tcp-proxy";

/** What the command line says. Durations are in milliseconds, `null` is no limit. */
export interface ProxyOptions {
  readonly listen: ListenAddress;
  readonly upstream: Address;
  readonly runtimeDir?: string;
  readonly controlGroup?: string;
  readonly connectTimeout: Duration;
  readonly maxConnections?: number;
  readonly idleTimeout: Duration;
  readonly halfCloseTimeout: Duration;
  readonly stopTimeout: Duration;
  readonly startDrained: boolean;
  readonly logFormat: LogFormat;
  readonly logLevel: LogLevel;
}

/**
 * Reads the command line.
 *
 * @throws {CommanderError} for bad usage, and for `--help` and `--version` once they are printed
 */
export function parseOptions(args: readonly string[]): ProxyOptions {
  const command = program(NAME)
    .description(
      "Carries TCP connections to a service, and holds new ones while the service is upgraded.\n" +
        "Control it with proxyctl.",
    )
    .argument(
      "<listen>",
      "[HOST:]PORT to listen on; without HOST all addresses",
      value(parseListenAddress),
    )
    .argument("<upstream>", "HOST:PORT of the service", value(parseAddress))
    .option("--runtime-dir <dir>", "directory of the control socket and the drain record")
    .option("--control-group <group>", "group whose members may control the proxy")
    .option(
      "--max-connections <n>",
      "how many may be active; further clients wait",
      value(wholeNumber(1)),
    )
    .option("--start-drained", "hold new connections from the start", false)
    .addOption(
      new Option("--log-format <format>", "default: text on a terminal, else json")
        .choices(["text", "json"]),
    )
    .addOption(
      new Option("--log-level <level>").choices(["debug", "info", "warning", "error"]).default(
        "info",
      ),
    );
  for (
    const [name, byDefault, about] of [
      ["connect-timeout", "10s", "how long a client waits for an upstream"],
      ["idle-timeout", "none", "cut a connection without a byte for that long"],
      ["half-close-timeout", "1m", "cut a half-closed one without a byte for that long"],
      ["stop-timeout", "10s", "how long active connections may finish at SIGTERM"],
    ] as const
  ) durationOption(command, `--${name} <duration>`, about, byDefault);
  command.parse(args, { from: "user" });
  const [listen, upstream] = command.processedArgs as [ListenAddress, Address];
  const options = command.opts();
  const logFormat = options["logFormat"] ?? (Deno.stderr.isTerminal() ? "text" : "json");
  return { ...options, listen, upstream, logFormat } as ProxyOptions;
}
