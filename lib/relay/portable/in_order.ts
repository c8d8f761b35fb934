import { byOrder } from "../order.ts";
import type { ConnectionOrder } from "../relay.ts";
import type { PortableConnection } from "./connection.ts";

/**
 * The connections that come first.
 *
 * @param all in the order in which they came
 * @param most how many at the most
 */
export function inOrder(
  all: Iterable<PortableConnection>,
  most: number,
  order: ConnectionOrder,
): PortableConnection[] {
  if (order === "age") return [...Iterator.from(all).take(most)];
  const isBefore = byOrder(order);
  return Array.from(all, (one) => ({ one, as: one.snapshot() }))
    .sort((one, other) => isBefore(one.as, other.as)).slice(0, most).map(({ one }) => one);
}
