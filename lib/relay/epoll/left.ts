import { libc } from "../../linux/libc.ts";
import { resetShared } from "../../linux/socket.ts";
import { CONTROL, type SharedMemory } from "./shared.ts";
import { QUEUED, SUSPENDED, type Table } from "./table.ts";

/**
 * Resets the connections that a thread has left, so that nobody waits for what will never come; of
 * which another process may have copies.
 */
export function resetLeft(table: Table, { control }: SharedMemory): void {
  for (const row of table.rowsInUse()) {
    const counter = counterOf(table.state(row));
    const { client, upstream } = table.abandon(row);
    for (const descriptor of upstream === -1 ? [client] : [client, upstream]) {
      resetShared(descriptor);
      libc.close(descriptor);
    }
    Atomics.sub(control, counter, 1);
  }
}

function counterOf(state: number): number {
  if (state === QUEUED) return CONTROL.waiting;
  return state === SUSPENDED ? CONTROL.suspended : CONTROL.active;
}
