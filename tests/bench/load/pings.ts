import { now } from "../../../lib/linux/clock.ts";
import { Clients, PATIENCE, send } from "./client.ts";
import type { Conversation, RoundTrips, Tasks } from "./protocol.ts";
import { arrived, MESSAGE } from "./requests.ts";
import { Trips } from "./round_trips.ts";
import { Window } from "./window.ts";

/**
 * Sends so many small messages a second, the connections taking turns, and awaits their echoes.
 * Tells when it is ready for something to get in the way, and measures again when it is there.
 *
 * Other than with requests as fast as they can, the CPU is not all taken, so that what is seen is
 * for how long others are in the way. A message whose time has come while its connection still
 * waits for the last echo counts from that time on; others count from when they are sent, which is
 * up to a millisecond late, because that is how exactly epoll_wait(2) can wait.
 */
export function pings(
  task: Tasks["pings"]["task"],
  conversation: Conversation,
): Tasks["pings"]["done"] {
  using clients = new Clients(task.port, task.connections, "echo");
  const before = measure(clients, task);
  conversation.ready();
  conversation.wait();
  return { before, after: measure(clients, task) };
}

function measure({ epoll, descriptors }: Clients, task: Tasks["pings"]["task"]): RoundTrips {
  const connections = descriptors.length;
  const missing = new Int32Array(connections).fill(MESSAGE.length);
  /** When the echo that a connection waits for was asked for, or due to be; 0 if there is none. */
  const since = new Float64Array(connections);
  /** When a message was due that has to wait for that echo; 0 if there is none. */
  const due = new Float64Array(connections);
  /** Whether what is asked for, and what is due, fell into the time that counts. */
  const counts = new Uint8Array(connections);
  const dueCounts = new Uint8Array(connections);
  const trips = new Trips();
  let asked = 0;
  const ask = (client: number, time: number, count: number): void => {
    since[client] = time;
    counts[client] = count;
    asked++;
    send(descriptors[client] as number, MESSAGE);
  };
  const listen = (): void => {
    const ready = epoll.wait(1);
    for (let index = 0; index < ready; index++) {
      const client = epoll.dataAt(index);
      if (!arrived(missing, client, descriptors[client] as number)) continue;
      heard = now();
      asked--;
      if (counts[client] === 1) trips.add(heard - (since[client] as number));
      since[client] = 0;
      if (due[client] !== 0) ask(client, due[client] as number, dueCounts[client] as number);
      due[client] = 0;
    }
    if (now() - heard > PATIENCE * 1000) throw new Error(`No echo for ${PATIENCE} s`);
  };
  const every = 1000 / task.perSecond;
  const window = new Window(task);
  let turn = now();
  let heard = turn;
  for (let client = 0; window.goesOn(); listen()) {
    for (const time = now(); turn <= time; turn += every, client = (client + 1) % connections) {
      const count = window.isOpen ? 1 : 0;
      if (since[client] === 0) ask(client, now(), count);
      else if (due[client] === 0) {
        due[client] = turn;
        dueCounts[client] = count;
      }
    }
  }
  // The slowest are still on their way, or wait for their turn.
  while (asked > 0) listen();
  window.measured(trips.count);
  return trips.quantiles;
}
