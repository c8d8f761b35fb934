/**
 * The command line of the proxy.
 *
 * @module
 */

import type { LogLevel } from "@logtape/logtape";
import { CommanderError, Option } from "commander";
import { type Address, type ListenAddress, parseAddress, parseListenAddress } from "../address.ts";
import { durationOption, program, value, wholeNumber } from "../command_line.ts";
import { type Duration, durationWithin } from "../duration.ts";
import type { Relay } from "../relay/relay.ts";
import type { LogFormat } from "./log.ts";

/** The name of the executable. */
export const NAME = "disnix-tcp-proxy";

/** How many threads can be asked for. */
export const MOST_THREADS = 256;

/**
 * What can be said of silent peers: Linux takes whole seconds, and at the most 32767 of them
 * (MAX_TCP_KEEPIDLE of net/tcp.h).
 */
const LIVENESS = durationWithin(1000, 9 * 3_600_000);

/** What the command line says. Durations are in milliseconds, `null` is no limit. */
export interface ProxyOptions {
  readonly listen: ListenAddress;
  readonly upstream: Address;
  /** Not given: the best that can run. */
  readonly relay?: Relay["kind"];
  /** How many threads carry bytes; `auto` as many as there are processors. */
  readonly threads: number | "auto";
  readonly runtimeDir?: string;
  readonly controlGroup?: string;
  readonly connectTimeout: Duration;
  readonly maxConnections?: number;
  readonly idleTimeout: Duration;
  readonly halfCloseTimeout: Duration;
  readonly exitIdleTime: Duration;
  readonly stopTimeout: Duration;
  readonly tcpKeepalive: Duration;
  readonly tcpUserTimeout: Duration;
  readonly startDrained: boolean;
  /** Whether to take over from a proxy that has the runtime directory. */
  readonly takeover: "auto" | "never";
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
      "[HOST:]PORT to listen on; without HOST all addresses. Under socket activation the passed " +
        "socket is used, which must have this port",
      value(parseListenAddress),
    )
    .argument("<upstream>", "HOST:PORT of the service", value(parseAddress))
    .option("--runtime-dir <dir>", "directory of the control socket and the drain record")
    .option("--control-group <group>", "group whose members may control the proxy")
    .addOption(
      new Option(
        "--relay <relay>",
        "what carries the bytes (default: epoll where it can run, else portable)",
      ).choices(["epoll", "portable"]),
    )
    .addOption(
      new Option(
        "--threads <n>",
        "how many threads carry bytes; auto: as many as there are processors",
      ).default(1).argParser(value(parseThreads)),
    )
    .option(
      "--max-connections <n>",
      "how many may be active; further clients wait (default: as many as there are " +
        "descriptors for)",
      value(wholeNumber(1)),
    )
    .option("--start-drained", "hold new connections from the start", false)
    .addOption(
      new Option(
        "--takeover <when>",
        "auto: take over the clients of a proxy that runs with this runtime directory; never: " +
          "refuse to start while there is one",
      ).choices(["auto", "never"]).default("auto"),
    )
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
    const [name, byDefault, about, parse] of [
      ["connect-timeout", "10s", "how long a client waits for an upstream"],
      ["idle-timeout", "none", "cut a connection without a byte for that long"],
      ["half-close-timeout", "1m", "cut a half-closed one without a byte for that long"],
      ["stop-timeout", "10s", "how long active connections may finish at SIGTERM"],
      ["exit-idle-time", "none", "end when open with nobody there for that long"],
      ["tcp-keepalive", "1m", "probe the peers of a connection silent for that long", LIVENESS],
      [
        "tcp-user-timeout",
        "none",
        "give up a peer that acknowledges nothing for that long, or reads nothing: it cuts paused " +
        "downloads as well",
        LIVENESS,
      ],
    ] as const
  ) durationOption(command, `--${name} <duration>`, about, byDefault, parse);
  command.parse(args, { from: "user" });
  const [listen, upstream] = command.processedArgs as [ListenAddress, Address];
  const options = command.opts();
  const logFormat = options["logFormat"] ?? (Deno.stderr.isTerminal() ? "text" : "json");
  refuseThreads(options);
  return { ...options, listen, upstream, logFormat } as ProxyOptions;
}

function parseThreads(text: string): number | "auto" {
  return text === "auto" ? "auto" : wholeNumber(1, MOST_THREADS)(text);
}

/** @throws {CommanderError} for threads that the relay which was asked for cannot have */
function refuseThreads({ relay, threads }: Partial<ProxyOptions>): void {
  if (relay !== "portable" || threads === 1 || threads === "auto") return;
  throw new CommanderError(
    1,
    "commander.conflictingOption",
    `option '--threads ${threads}' cannot be used with '--relay portable', which has one thread`,
  );
}
