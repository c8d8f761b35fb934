import { now } from "../../../lib/linux/clock.ts";
import { Epoll, EPOLLIN } from "../../../lib/linux/epoll.ts";
import { checked } from "../../../lib/linux/errno.ts";
import { libc } from "../../../lib/linux/libc.ts";
import { Clients, connect, MSG_DONTWAIT, PATIENCE, ROOM, send, target } from "./client.ts";
import type { Conversation, Tasks } from "./protocol.ts";

/** Has idle connections until it is told to close them; tells when it did, in milliseconds. */
export function hold(
  { port, connections }: Tasks["hold"]["task"],
  conversation: Conversation,
): Tasks["hold"]["done"] {
  using clients = new Clients(port, connections, "echo");
  conversation.ready();
  conversation.wait();
  clients[Symbol.dispose]();
  return { closedAt: now() };
}

/**
 * Connects and sends a request, and waits for the answers only then: to be held in the meantime.
 * Tells when the last one was answered, in milliseconds.
 */
export function held(
  { port, connections, request }: Tasks["held"]["task"],
  conversation: Conversation,
): Tasks["held"]["done"] {
  const to = target(port);
  const message = new TextEncoder().encode(request);
  const waiting = new Set<number>();
  const epoll = new Epoll(1024);
  try {
    for (let client = 0; client < connections; client++) {
      const descriptor = connect(to);
      waiting.add(descriptor);
      send(descriptor, message);
      epoll.add(descriptor, EPOLLIN, descriptor);
    }
    conversation.ready();
    while (waiting.size > 0) {
      const ready = epoll.wait(PATIENCE * 1000);
      if (ready === 0) throw new Error(`${waiting.size} clients were not answered`);
      for (let index = 0; index < ready; index++) {
        const descriptor = epoll.dataAt(index);
        const received = libc.recv(descriptor, ROOM, ROOM.length, MSG_DONTWAIT);
        if (checked("recv", received) === 0) throw new Error("A held client was not answered");
        libc.close(descriptor);
        waiting.delete(descriptor);
      }
    }
    return { servedAt: now() };
  } finally {
    for (const descriptor of waiting) libc.close(descriptor);
    epoll.close();
  }
}
