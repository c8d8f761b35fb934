/**
 * Turns what happens into lines of the log and into metrics.
 *
 * @module
 */

import { seconds } from "../control/api.ts";
import type { DrainEvent, EndCause } from "../drain/types.ts";
import { describeDuration } from "../duration.ts";
import type { Connection, RelayEvents } from "../relay/relay.ts";
import type { Log } from "./log.ts";
import type { Metrics } from "./metrics.ts";

const CAUSES: Record<EndCause, string> = {
  resumed: "by its owner",
  forced: "by force",
  deadline: "because the deadline passed and connections were still active; nothing was cut",
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
        const { owner, waited, cut } = event;
        const cuts = cut === 0 ? "" : `, ${cut} cut`;
        const message = `Drained; "${owner}" waited ${describeDuration(waited)}${cuts}`;
        return log.info(message, { event: "drained", owner, waitedSeconds: seconds(waited), cut });
      }
      case "over":
        return metrics.drainOver(event.outcome, event.waited);
      case "resumed": {
        const { cause, owner, by, held, longest } = event;
        const clients = held === 0
          ? "nobody was held"
          : `${held} held, the longest for ${describeDuration(longest)}`;
        const who = by === null || by === owner ? "" : ` ("${by}")`;
        const message = `Resumed ${CAUSES[cause]}${who}; ${clients}`;
        const expected = cause === "resumed" || cause === "cancelled";
        const write = expected ? log.info : log.warning;
        return write(message, {
          event: "resume",
          cause,
          owner,
          by,
          held,
          longestHoldSeconds: seconds(longest),
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
        const { upstream, restored } = event;
        const from = restored ? ", as recorded before the restart" : "";
        return log.info(`New connections go to ${upstream}${from}`, {
          event: "retarget",
          upstream,
        });
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
      log.upstream(`Failed to connect to the upstream ${upstream}: ${error}; trying again`, {
        event: "connect_failed",
        upstream,
      }),
    gaveUp: (upstream, error) =>
      log.upstream(
        `Reset a client: no connection to the upstream ${upstream} within the connect timeout: ${error}`,
        { event: "gave_up", upstream },
      ),
    released: (held) => metrics.released(held),
    full: (active) =>
      log.warning(`No room for more than ${active} connections; further clients wait`, {
        event: "full",
        active,
      }),
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
