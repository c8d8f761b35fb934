/**
 * The connections of a thread, when another process goes on with them.
 *
 * @module
 */

import { libc } from "../../linux/libc.ts";
import { closeWithReset } from "../../linux/socket.ts";
import type { Connections } from "./connections.ts";
import type { Holding } from "./holding.ts";
import type { Arrived } from "./moved.ts";
import type { Pipes } from "./pipes.ts";
import type { Serving } from "./serving.ts";
import type { Table } from "./table.ts";

/** What another process needs to know of connections to go on with them. */
export function describe(
  connections: Connections,
  table: Table,
  serving: Serving,
): Arrived[] {
  return [...connections].map((connection) => {
    const { row, client, upstream, up, down, attempt, endedAt, heldSince } = connection;
    const { wasServed, target, talk, header } = connection;
    return {
      ...table.moved(row),
      client,
      // One that is being connected is connected anew.
      upstream: attempt === null ? upstream : -1,
      heldSince,
      wasServed,
      target,
      header,
      talk: talk.moved,
      endedAt: endedAt === Infinity ? null : endedAt,
      up: up.moved,
      down: down.moved,
      failed: serving.moved(connection),
    };
  });
}

/** Closes this process's copies of sockets and pipes that another one goes on with. */
export function letGo(connections: Connections, pipes: Pipes): void {
  for (const connection of connections) {
    const { client, upstream, attempt } = connection;
    connection.end(pipes);
    libc.close(client);
    if (upstream === -1) continue;
    // One that is being connected is connected anew there. Left to the system, it would end as if
    // in peace.
    if (attempt === null) libc.close(upstream);
    else closeWithReset(upstream);
  }
}

/**
 * Starts to serve connections that another process had; those that it had not connected are held.
 *
 * @param arrived they have the first rows
 */
export function goOn(
  arrived: readonly Arrived[],
  connections: Connections,
  holding: Holding,
  serving: Serving,
): void {
  holding.goOn(arrived);
  for (const [row, { failed }] of arrived.entries()) {
    const connection = connections.at(row);
    // Should there be no memory for one of them, the others must not suffer.
    if (!serving.watchClient(connection)) {
      connections.cut(connection, "client_reset");
    } else if (connection.upstream === -1) {
      continue;
    } else if (!serving.watchUpstream(connection)) {
      connections.cut(connection, "upstream_reset");
    } else {
      serving.goOn(connection, failed);
    }
  }
}
