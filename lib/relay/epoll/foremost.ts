import type { ConnectionOrder } from "../relay.ts";
import type { Table } from "./table.ts";

/** Where a connection is: a row of a table, as long as its id is the same. */
export interface Place {
  readonly table: Table;
  readonly row: number;
  readonly id: number;
  /** The less, the sooner its turn comes. */
  readonly rank: number;
}

/**
 * Rows are looked at in strides of so many. They often are in the very order, or in its reverse: in
 * strides the first ones tell soon which come too late, whatever the order is.
 */
const STRIDE = 61;

/** By what they are ranked: read off the table, without looking at anything else of a row. */
const RANKS: Record<ConnectionOrder, (table: Table, row: number) => number> = {
  age: (table, row) => table.acceptedAt(row),
  idle: (table, row) => table.lastByteAt(row),
  bytes: (table, row) => {
    const { bytesUp, bytesDown } = table.moved(row);
    return -bytesUp - bytesDown;
  },
};

function byRank(one: Place, other: Place): number {
  return one.rank - other.rank || one.id - other.id;
}

/**
 * Where the connections are that come first, of those that are active, in that order.
 *
 * @param most how many at the most
 * @param held instead of those that are active, those that are held
 */
export function foremost(
  tables: readonly Table[],
  most: number,
  held: boolean,
  order: ConnectionOrder,
): Place[] {
  const places = tables.flatMap((table) => foremostOf(table, most, held, order));
  return places.sort(byRank).slice(0, most);
}

function foremostOf(table: Table, most: number, held: boolean, order: ConnectionOrder): Place[] {
  const { height } = table;
  const rankOf = RANKS[order];
  const places: Place[] = [];
  // Now and then those that come too late are dropped; from then on many are known to.
  const enough = Math.min(2 * most, height);
  const stride = most < height ? STRIDE : 1;
  let last = Infinity;
  for (let first = 0; first < stride; first++) {
    for (let row = first; row < height; row += stride) {
      const rank = rankOf(table, row);
      if (rank > last) continue;
      const id = table.id(row);
      if (id === 0 || table.isActive(row) === held) continue;
      places.push({ table, row, id, rank });
      if (places.length <= enough) continue;
      places.sort(byRank).length = most;
      last = places[most - 1]?.rank ?? -Infinity;
    }
  }
  return places;
}
