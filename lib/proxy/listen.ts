/**
 * Makes the proxy's relay: which one, and where it listens.
 *
 * @module
 */

import { formatAddress } from "../address.ts";
import { codeOf } from "../code_of.ts";
import { Failure } from "../failure.ts";
import { listenAdvice } from "../listen_advice.ts";
import { messageOf } from "../message_of.ts";
import { chooseRelay, maker } from "../relay/choose.ts";
import type { ListenAt, Relay, RelayEvents, RelayOptions } from "../relay/relay.ts";
import type { Log } from "./log.ts";
import { MOST_THREADS, type ProxyOptions } from "./options.ts";
import { PassedOnSockets } from "./passed_on.ts";

/**
 * Makes the relay that the options ask for. It holds.
 *
 * It listens on the sockets that a service manager passed on, if one did, else where the options say.
 *
 * @throws {Failure} when that cannot be had, or the upstream cannot be used
 */
export async function listen(
  options: ProxyOptions,
  log: Log,
  events: RelayEvents,
): Promise<Relay> {
  const relay = await start(options, log, events);
  const why = await relay.whyUnusable(options.upstream);
  if (why === null) return relay;
  await relay.shutDown();
  throw new Failure(why);
}

async function start(options: ProxyOptions, log: Log, events: RelayEvents): Promise<Relay> {
  const kind = choose(options, log);
  const make = await maker(kind);
  const startAt = (at: ListenAt) => make(at, relayOptions(options, kind), events);
  const sockets = new PassedOnSockets(options.listen.port);
  return sockets.isThere ? await inherit(sockets, log, startAt) : await bind(options, startAt);
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
    abortOnClose: options.abortOnClose,
    acceptProxy: options.acceptProxy,
    sendProxy: options.sendProxy ?? null,
    maxConnecting: options.maxConnecting,
  };
}

async function bind(
  { listen }: ProxyOptions,
  startAt: (at: ListenAt) => Promise<Relay>,
): Promise<Relay> {
  try {
    return await startAt(listen);
  } catch (error) {
    const where = formatAddress(listen);
    if (codeOf(error) !== "EADDRINUSE") {
      const advice = listenAdvice(codeOf(error), listen.port);
      throw new Failure(`Failed to listen on ${where}: ${messageOf(error)}${advice}`);
    }
    const { whoListens } = await import("./who_listens.ts");
    const who = await whoListens(listen.port);
    throw new Failure(
      `Failed to listen on ${where}: the port is taken by ${who ?? "another program"}`,
    );
  }
}

/** Listens on the sockets that were passed on, as far as the command line names them. */
async function inherit(
  sockets: PassedOnSockets,
  log: Log,
  startAt: (at: ListenAt) => Promise<Relay>,
): Promise<Relay> {
  let relay: Relay;
  try {
    relay = await startAt(sockets);
  } catch {
    throw sockets.failure;
  }
  if (sockets.others !== "") {
    log.warning(
      `Of what the service manager passed on, this is not served: ${sockets.others}`,
      { event: "ignored_sockets" },
    );
  }
  return relay;
}
