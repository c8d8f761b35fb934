/**
 * Makes the proxy's relay: which one, and where it listens.
 *
 * @module
 */

import { formatAddress } from "../address.ts";
import { Failure } from "../command_line.ts";
import { messageOf } from "../message_of.ts";
import { chooseRelay, maker } from "../relay/choose.ts";
import type { ListenAt, Relay, RelayEvents, RelayOptions } from "../relay/relay.ts";
import { FIRST_INHERITED_DESCRIPTOR, inheritedSockets } from "../socket_activation.ts";
import type { Log } from "./log.ts";
import { MOST_THREADS, type ProxyOptions } from "./options.ts";
import { whoListens } from "./who_listens.ts";

/**
 * Makes the relay that the options ask for. It holds.
 *
 * It listens on the socket that a service manager passed on, if one did, else where the options say.
 *
 * @throws {Failure} when that cannot be had
 */
export async function listen(
  options: ProxyOptions,
  log: Log,
  events: RelayEvents,
): Promise<Relay> {
  const kind = choose(options, log);
  const make = await maker(kind);
  const start = (at: ListenAt) => make(at, relayOptions(options, kind), events);
  const inherited = inheritedSockets();
  if (inherited === 0) return await bind(options, start);
  if (inherited > 1) {
    log.warning(
      `The service manager passed on ${inherited} sockets: only the clients of the first are served`,
      { event: "ignored_sockets", inherited },
    );
  }
  return await inherit(options, start);
}

/** Chooses the relay, and says what comes of that. */
function choose(options: ProxyOptions, log: Log): Relay["kind"] {
  const { kind, whyNoEpoll } = chooseRelay(options.relay);
  if (whyNoEpoll !== null) {
    log.warning(
      `The epoll relay cannot run here: ${whyNoEpoll}; using the portable relay, with one thread`,
      { event: "no_epoll" },
    );
  }
  if (kind === "portable" && options.tcpUserTimeout !== null) {
    log.warning("--tcp-user-timeout has no effect: the portable relay cannot set it", {
      event: "no_user_timeout",
    });
  }
  return kind;
}

/** The options of a relay of this kind. */
export function relayOptions(options: ProxyOptions, kind: Relay["kind"]): RelayOptions {
  const wanted = options.threads === "auto" ? navigator.hardwareConcurrency : options.threads;
  return {
    upstream: options.upstream,
    connectTimeout: options.connectTimeout,
    idleTimeout: options.idleTimeout,
    halfCloseTimeout: options.halfCloseTimeout,
    maxConnections: options.maxConnections ?? null,
    threads: kind === "portable" ? 1 : Math.min(wanted, MOST_THREADS),
    keepAlive: options.tcpKeepalive,
    userTimeout: options.tcpUserTimeout,
  };
}

async function bind(
  { listen }: ProxyOptions,
  start: (at: ListenAt) => Promise<Relay>,
): Promise<Relay> {
  try {
    return await start(listen);
  } catch (error) {
    const where = formatAddress(listen);
    if ((error as { code?: string }).code !== "EADDRINUSE") {
      throw new Failure(`Failed to listen on ${where}: ${messageOf(error)}`);
    }
    const who = await whoListens(listen.port);
    throw new Failure(
      `Failed to listen on ${where}: the port is taken by ${who ?? "another program"}`,
    );
  }
}

/** Listens on the socket that was passed on, if it is the one that the command line names. */
async function inherit(
  { listen }: ProxyOptions,
  start: (at: ListenAt) => Promise<Relay>,
): Promise<Relay> {
  let relay: Relay;
  try {
    relay = await start({ descriptor: FIRST_INHERITED_DESCRIPTOR });
  } catch (error) {
    throw new Failure(
      "Failed to use what the service manager passed on, which must be a listening TCP socket: " +
        messageOf(error),
    );
  }
  const { port } = relay.listen;
  if (listen.port === 0 || listen.port === port) return relay;
  await relay.shutDown();
  throw new Failure(
    `The service manager passed on a socket that listens on port ${port}, but the command line ` +
      `says ${formatAddress(listen)}: make them the same`,
  );
}
