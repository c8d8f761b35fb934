/**
 * The command line of the proxy.
 *
 * @module
 */

import type { LogLevel } from "@logtape/logtape";
import { type Command, Option } from "commander";
import { type Address, type ListenAddress, parseAddress, parseListenAddress } from "../address.ts";
import { durationOption, program, usageError, value, wholeNumber } from "../command_line.ts";
import { type Duration, durationWithin, parseQuiet } from "../duration.ts";
import { type Network, parseNetwork } from "../network.ts";
import { PROXY_VERSIONS, type ProxyVersion } from "../relay/proxy_protocol.ts";
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
  /** What a drain, or a retarget, lets go of that asks for nothing else (see `LettingGo`). */
  readonly suspendQuiet: Duration;
  /** Whether held clients that have ended their direction are dropped though they had asked. */
  readonly abortOnClose: boolean;
  /** How many held clients are on their way to the service at once. */
  readonly maxConnecting: number;
  /** Whose connections begin with a header of the PROXY protocol. */
  readonly acceptProxy: readonly Network[];
  /** With which header of the PROXY protocol each connection to the service begins. */
  readonly sendProxy?: ProxyVersion;
  readonly startDrained: boolean;
  /** From whom to take over that has the runtime directory: a keeper, also a proxy that runs, nobody. */
  readonly takeover: "parked" | "always" | "never";
  readonly logFormat: LogFormat;
  readonly logLevel: LogLevel;
}

/**
 * Reads the command line.
 *
 * @throws {CommanderError} for bad usage, and for `--help` and `--version` once they are printed
 */
export function parseOptions(args: readonly string[]): ProxyOptions {
  const command = commandLine().parse(args, { from: "user" });
  const [listen, upstream] = command.processedArgs as [ListenAddress, Address];
  const options = command.opts();
  const logFormat = options["logFormat"] ?? (Deno.stderr.isTerminal() ? "text" : "json");
  refuseThreads(options);
  return { acceptProxy: [], ...options, listen, upstream, logFormat } as unknown as ProxyOptions;
}

/** The command line, with all options. */
export function commandLine(): Command {
  const command = program(NAME)
    .summary("TCP proxy that can be drained")
    .description(
      "Carries TCP connections to a service, and holds new ones while the service is upgraded.\n" +
        "Control it with proxyctl.",
    )
    .argument(
      "<listen>",
      "[HOST:]PORT to listen on; without HOST, or with *, all addresses. Under socket activation the passed " +
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
    .addOption(
      new Option(
        "--max-connecting <n>",
        "of those who waited, how many are let in to the service at once",
      ).default(128).argParser(value(wholeNumber(1))),
    )
    .option(
      "--abort-on-close",
      "do not serve held clients that have ended their direction, whatever they sent",
      false,
    )
    .addOption(
      new Option(
        "--send-proxy <version>",
        "begin each connection to the service with a header of the PROXY protocol, which says who " +
          "the client is; without it the service sees only this proxy",
      ).choices(PROXY_VERSIONS),
    )
    .addOption(
      new Option(
        "--accept-proxy <network>",
        "whose connections begin with a header of the PROXY protocol, which is believed: an " +
          "address, or a network such as 10.0.0.0/8; may be repeated (default: nobody's)",
      ).argParser((text, before: readonly Network[] = []) => [
        ...before,
        value(parseNetwork)(text),
      ]),
    )
    .option("--start-drained", "hold new connections from the start", false)
    .addOption(
      new Option(
        "--takeover <when>",
        "from whom to take over, with all clients, that has this runtime directory; parked: from " +
          "the keeper of a parked proxy; always: from a proxy that runs as well; never: from " +
          "neither, but refuse to start",
      ).choices(["parked", "always", "never"]).default("parked"),
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
      [
        "suspend-quiet",
        "none",
        "while draining, take connections from their service that are quiet for that long. Only " +
        "for a service that keeps nothing per connection (login, transaction) and never speaks " +
        "unasked: clients that only listen would wait in vain. Longer than its longest pause " +
        "within an answer; answers come later by that much meanwhile",
        parseQuiet,
      ],
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
  return command;
}

function parseThreads(text: string): number | "auto" {
  return text === "auto" ? "auto" : wholeNumber(1, MOST_THREADS)(text);
}

/** @throws {CommanderError} for threads that the relay which was asked for cannot have */
function refuseThreads({ relay, threads }: Partial<ProxyOptions>): void {
  if (relay !== "portable" || threads === 1 || threads === "auto") return;
  throw usageError(
    `option '--threads ${threads}' cannot be used with '--relay portable', which has one thread`,
  );
}
