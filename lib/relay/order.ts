import type { Connection, ConnectionOrder } from "./relay.ts";

const AMOUNTS: Record<ConnectionOrder, (one: Connection) => number> = {
  age: ({ age }) => age,
  idle: ({ idle }) => idle,
  bytes: ({ bytesUp, bytesDown }) => bytesUp + bytesDown,
};

/** For sorting. */
export function byOrder(order: ConnectionOrder): (one: Connection, other: Connection) => number {
  const amount = AMOUNTS[order];
  return (one, other) => amount(other) - amount(one) || one.id - other.id;
}
