import { EPOLLIN } from "../../../lib/linux/epoll.ts";
import { libc } from "../../../lib/linux/libc.ts";
import { MSG_NOSIGNAL } from "../../../lib/linux/socket.ts";
import { Clients, moved, MSG_DONTWAIT, MSG_TRUNC, ROOM } from "./client.ts";
import type { Conversation, Tasks } from "./protocol.ts";
import { Window } from "./window.ts";

/** How much is sent at once, in bytes. */
export const BLOCK = new Uint8Array(256 * 1024);

/** Marks what comes from the benchmark, beside the numbers of connections. */
const CONVERSATION = -1;

/**
 * Moves bytes as fast as it can, and counts them. A line from the benchmark ends it early.
 *
 * What is received is thrown away by the kernel, so that the load is light.
 */
export function bulk(
  task: Tasks["bulk"]["task"],
  conversation: Conversation,
): Tasks["bulk"]["done"] {
  using clients = new Clients(task.port, task.connections, task.want);
  const { epoll, descriptors } = clients;
  epoll.add(conversation.descriptor, EPOLLIN, CONVERSATION);
  conversation.ready();
  let count = 0;
  const window = new Window(task);
  while (window.goesOn()) {
    const ready = clients.wait();
    for (let index = 0; index < ready; index++) {
      const client = epoll.dataAt(index);
      if (client === CONVERSATION) {
        conversation.wait();
        return { count, total: count, seconds: 0, cpu: 0, system: 0 };
      }
      const descriptor = descriptors[client] as number;
      const bytes = task.want === "download" ? take(descriptor) : give(descriptor);
      if (window.isOpen) count += bytes;
    }
  }
  return window.measured(count);
}

function take(descriptor: number): number {
  const flags = MSG_DONTWAIT | MSG_TRUNC;
  const bytes = moved("recv", libc.recv(descriptor, ROOM, ROOM.length, flags));
  if (bytes === 0) throw new Error("A download was closed");
  return bytes;
}

function give(descriptor: number): number {
  const flags = MSG_DONTWAIT | MSG_NOSIGNAL;
  return moved("send", libc.send(descriptor, BLOCK, BLOCK.length, flags));
}
