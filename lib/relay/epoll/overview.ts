import { now } from "../../linux/clock.ts";
import type { Connection, ConnectionOrder } from "../relay.ts";
import { foremost } from "./foremost.ts";
import { CONNECTING, QUEUED, type Table } from "./table.ts";

/** How many active connections are connected to another target. */
export function elsewhere(tables: readonly Table[], target: number): number {
  let count = 0;
  for (const table of tables) {
    const { height } = table;
    for (let row = 0; row < height; row++) {
      const isConnected = table.isActive(row) && table.state(row) !== CONNECTING;
      if (isConnected && table.target(row) !== target) count++;
    }
  }
  return count;
}

/** Since when the one has been held that was never served and has waited the longest, on the clock. */
export function queuedSince(tables: readonly Table[]): number {
  let since = Infinity;
  for (const table of tables) {
    const { height } = table;
    for (let row = 0; row < height; row++) {
      if (table.id(row) === 0 || table.state(row) !== QUEUED) continue;
      since = Math.min(since, table.heldSince(row));
    }
  }
  return since;
}

/** What is to be listed. */
export interface Listing {
  readonly most: number;
  readonly order: ConnectionOrder;
  /** Whether it is those that are held, and not those that are active. */
  readonly held: boolean;
  /** Where those are going that are not connected yet. */
  readonly target: string;
  /** How long connections must be quiet to be suspended, in milliseconds. */
  readonly quiet: number;
}

/** Connections, each as it is when its turn comes. */
export function* list(
  tables: readonly Table[],
  { most, order, held, target, quiet }: Listing,
): Generator<Connection> {
  for (const { table, row, id } of foremost(tables, most, held, order)) {
    const connection = table.snapshot(row, now(), target, quiet);
    // Its row may be another's by now.
    if (connection?.id === id) yield connection;
  }
}
