/**
 * Turns what happens into lines of the log and into metrics.
 *
 * @module
 */

import { seconds, type Status } from "../control/api.ts";
import { type InTheWay, named } from "../drain/past_drain.ts";
import type { DrainEvent, EndCause } from "../drain/types.ts";
import { describeDuration } from "../duration.ts";
import { hostOf } from "../network.ts";
import type { Connection, RelayEvents } from "../relay/relay.ts";
import { isSocketActivated } from "../socket_activation.ts";
import type { Log } from "./log.ts";
import type { Metrics } from "./metrics.ts";

/** How many connections a line of the log names. */
const MOST_LISTED = 10;

const CAUSES: Record<EndCause, string> = {
  resumed: "by its owner",
  forced: "by force",
  deadline: "because the deadline passed and connections were still active",
  cancelled: "because nobody waits for the drain any more",
  lease: "because the lease expired",
  record: "because the drain record could not be written",
};

/** The events of the drain, for its log and its metrics. */
export function drainReporter(log: Log, metrics: Metrics): (event: DrainEvent) => void {
  return (event) => {
    switch (event.type) {
      case "draining": {
        const { owner, reason, active, joined } = event;
        const because = reason === null ? "" : `: ${reason}`;
        const verb = joined ? "Joined the drain" : "Draining";
        const message = `${verb} for "${owner}"${because}; ${active} active`;
        return log.info(message, { event: "drain", owner, reason, active, joined });
      }
      case "drained": {
        const { owner, waited, cut, cutNames } = event;
        const cuts = cut === 0 ? "" : `, ${cut} cut: ${listed(cutNames, cut)}`;
        const message = `Drained; "${owner}" waited ${describeDuration(waited)}${cuts}`;
        return log.info(message, {
          event: "drained",
          owner,
          waitedSeconds: seconds(waited),
          cut,
          ...(cut > 0 && { cutConnections: cutNames }),
        });
      }
      case "over":
        return metrics.drainOver(event.outcome, event.waited);
      case "resumed": {
        const { cause, owner, by, held, longest, active, cut, cutNames } = event;
        const inTheWay = event.inTheWay.map(named);
        const clients = held === 0
          ? "nobody was held"
          : `${held} held, the longest for ${describeDuration(longest)}`;
        const who = by === null || by === owner ? "" : ` ("${by}")`;
        const blocked = active === 0 ? "" : `; ${active} still active: ${listed(inTheWay, active)}`;
        const cuts = event.from !== "draining"
          ? ""
          : cut === 0
          ? "; nothing was cut"
          : `; ${cut} cut: ${listed(cutNames, cut)}`;
        const message = `Resumed ${CAUSES[cause]}${who}; ${clients}${blocked}${cuts}`;
        const expected = cause === "resumed" || cause === "cancelled";
        const write = expected ? log.info : log.warning;
        return write(message, {
          event: "resume",
          cause,
          owner,
          by,
          held,
          longestHoldSeconds: seconds(longest),
          ...(active > 0 && { active, blockers: inTheWay }),
          ...(event.from === "draining" && cut > 0 && { cut, cutConnections: cutNames }),
        });
      }
      case "refused": {
        metrics.drainOver("refused", 0);
        const { owner, holder } = event;
        return log.warning(`Refused a drain for "${owner}": held by "${holder}"`, {
          event: "refused",
          owner,
          holder,
        });
      }
      case "absorbed": {
        const { owner } = event;
        const message = `Nothing was resumed: that resume of "${owner}" belongs to a refused drain`;
        return log.info(message, { event: "absorbed", owner });
      }
      case "retargeted": {
        const { upstream, commandUpstream, restored } = event;
        const about = { event: "retarget", upstream };
        if (!restored) return log.info(`New connections go to ${upstream}`, about);
        return log.warning(
          `New connections go to ${upstream}, by a retarget that goes on, not to ` +
            `${commandUpstream} as the command line says: proxyctl retarget ${commandUpstream} to ` +
            "end that",
          about,
        );
      }
      case "restored": {
        const who = event.owner === null
          ? "Drained from the start"
          : `Still drained by "${event.owner}"`;
        return log.warning(`${who}: new connections are held`, {
          event: "restored",
          owner: event.owner,
        });
      }
      case "taken_over": {
        const { state, owner } = event;
        const whose = owner === null ? "a drain that is nobody's" : `the drain of "${owner}"`;
        return log.info(`Took over ${whose}, ${state}`, { event: "taken_over", state, owner });
      }
      case "abandoned": {
        const why = event.expired
          ? "its time ran out while no proxy was running"
          : "those who waited for it are gone";
        return log.warning(`The drain of "${event.owner}" is over: ${why}`, {
          event: "abandoned",
          owner: event.owner,
        });
      }
      case "record_failed":
        return log.error(`Failed to ${event.action} the drain record: ${event.error}`, {
          event: "record_failed",
        });
    }
  };
}

/** Connections by their peers and idle times. @param count how many there are in all */
function listed(connections: readonly InTheWay[], count: number): string {
  const names = connections.slice(0, MOST_LISTED).map(({ peer, idleSeconds }) =>
    `${peer} (idle for ${describeDuration(idleSeconds * 1000)})`
  );
  const more = count - names.length;
  return [...names, ...more > 0 ? [`${more} more`] : []].join(", ");
}

/** What the proxy itself has to do with the events of its relay. */
export type Handlers = Pick<RelayEvents, "noneActive" | "broken">;

/**
 * The events of the relay, for its log and its metrics.
 *
 * @param everyConnection whether each connection is logged; if not, the relay need not tell of them
 */
export function relayReporter(
  log: Log,
  metrics: Metrics,
  everyConnection: boolean,
  handlers: Handlers,
): RelayEvents {
  return {
    ...(everyConnection && connectionReporter(log)),
    noneActive: handlers.noneActive,
    connectFailed: (upstream, error) =>
      log.frequent(`Failed to connect to the upstream ${upstream}: ${error}; trying again`, {
        event: "connect_failed",
        upstream,
      }),
    gaveUp: (upstream, error) =>
      log.frequent(
        `Reset a client: no connection to the upstream ${upstream} within the connect timeout: ${error}`,
        { event: "gave_up", upstream },
      ),
    badHeader(peer, why) {
      const from = hostOf(peer);
      log.frequent(
        `Reset a client from ${from}, which has to begin with a header of the PROXY protocol ` +
          `(--accept-proxy): ${why}`,
        { event: "bad_header", from },
      );
    },
    released: (held) => metrics.released(held),
    full(active, lack) {
      const because = lack === null ? "" : `: ${lack}`;
      const message = `No room for more than ${active} connections${because}; further clients wait`;
      log.warning(message, { event: "full", active, lack });
    },
    queueFilling: (queued, most) =>
      log.warning(
        `${queued} clients wait, and the system queues no more than ${most}; those who come then ` +
          "try to connect again and again, until there is room or they give up",
        { event: "queue_filling", queued, most },
      ),
    broken(error) {
      log.error(`The relay broke: ${error.message}`, { event: "broken" });
      handlers.broken(error);
    },
  };
}

function connectionReporter(log: Log): Required<Pick<RelayEvents, "opened" | "closed">> {
  return {
    opened: (connection) =>
      log.debug(`Connection ${connection.id} from ${connection.peer}`, {
        event: "opened",
        ...about(connection),
      }),
    closed: (connection, reason) =>
      log.debug(`Connection ${connection.id} from ${connection.peer} is over: ${reason}`, {
        event: "closed",
        ...about(connection),
        reason,
        bytesUp: connection.bytesUp,
        bytesDown: connection.bytesDown,
      }),
  };
}

function about({ id, peer, upstream }: Connection) {
  return { connection: id, peer, upstream };
}

/** Says where the proxy listens, and what it is. @param maxConnections `null` where there is no limit */
export function reportStart(
  log: Log,
  { listen, upstream, state, relay, threads, pid, version }: Status,
  maxConnections: number | null,
  runtimeDirectory: string,
): void {
  const inherited = isSocketActivated();
  const passedOn = inherited ? " (passed on by the service manager)" : "";
  const carried = threads === 1 ? `${relay} relay` : `${relay} relay with ${threads} threads`;
  const most = maxConnections === null ? "" : `, at most ${maxConnections} connections`;
  log.info(`Listening on ${listen}${passedOn}, upstream ${upstream}, ${state}; ${carried}${most}`, {
    event: "listen",
    listen,
    inherited,
    upstream,
    state,
    relay,
    threads,
    ...(maxConnections !== null && { maxConnections }),
    pid,
    version,
    runtimeDirectory,
  });
}
