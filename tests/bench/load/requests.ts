import { now } from "../../../lib/linux/clock.ts";
import { libc } from "../../../lib/linux/libc.ts";
import { Clients, moved, MSG_DONTWAIT, ROOM, send } from "./client.ts";
import type { Tasks } from "./protocol.ts";
import { Trips } from "./round_trips.ts";
import { Window } from "./window.ts";

/** What is sent and comes back. */
export const MESSAGE = new Uint8Array(64).fill(0x65);

/** On each connection a small message is sent, its echo awaited, and again. */
export function requests(task: Tasks["requests"]["task"]): Tasks["requests"]["done"] {
  const { port, connections } = task;
  using clients = new Clients(port, connections, "echo");
  const { epoll, descriptors } = clients;
  const missing = new Int32Array(connections).fill(MESSAGE.length);
  const sentAt = new Float64Array(connections).fill(now());
  const trips = new Trips();
  for (const descriptor of descriptors) send(descriptor, MESSAGE);
  let total = 0;
  const window = new Window(task);
  while (window.goesOn()) {
    const ready = clients.wait();
    for (let index = 0; index < ready; index++) {
      const client = epoll.dataAt(index);
      const descriptor = descriptors[client] as number;
      if (!arrived(missing, client, descriptor)) continue;
      total++;
      const time = now();
      if (window.isOpen) trips.add(time - (sentAt[client] as number));
      sentAt[client] = time;
      send(descriptor, MESSAGE);
    }
  }
  return { ...window.measured(trips.count, total), ...trips.quantiles };
}

/**
 * Takes what has come of an echo.
 *
 * @param missing how many bytes each of the clients still waits for
 * @returns whether it is complete; then the next one is waited for
 */
export function arrived(missing: Int32Array, client: number, descriptor: number): boolean {
  const received = moved("recv", libc.recv(descriptor, ROOM, ROOM.length, MSG_DONTWAIT));
  if (received === 0) throw new Error("A connection was closed before it was answered");
  missing[client] = (missing[client] as number) - received;
  if (missing[client] as number > 0) return false;
  missing[client] = MESSAGE.length;
  return true;
}
