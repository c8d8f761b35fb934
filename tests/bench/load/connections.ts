import { Epoll, EPOLLIN } from "../../../lib/linux/epoll.ts";
import { EADDRNOTAVAIL, SystemError } from "../../../lib/linux/errno.ts";
import { libc } from "../../../lib/linux/libc.ts";
import { SHUT_WR } from "../../../lib/linux/socket.ts";
import { connect, moved, MSG_DONTWAIT, PATIENCE, ROOM, send, target } from "./client.ts";
import type { Tasks } from "./protocol.ts";
import { MESSAGE } from "./requests.ts";
import { Window } from "./window.ts";

/**
 * Connects, sends a small message, awaits its echo, ends its direction, awaits the end of the other
 * one, and again, so many at a time.
 */
export function connections(task: Tasks["connections"]["task"]): Tasks["connections"]["done"] {
  const to = target(task.port);
  const epoll = new Epoll(task.connections);
  const open = new Set<number>();
  let count = 0;
  let total = 0;
  const begin = (): boolean => {
    try {
      const descriptor = connect(to);
      open.add(descriptor);
      epoll.add(descriptor, EPOLLIN, descriptor);
      send(descriptor, MESSAGE);
      return true;
    } catch (error) {
      // Faster than the system takes ports back: connections that were closed here keep theirs.
      if (error instanceof SystemError && error.number === EADDRNOTAVAIL) return false;
      throw error;
    }
  };
  const goOn = (descriptor: number): void => {
    if (moved("recv", libc.recv(descriptor, ROOM, ROOM.length, MSG_DONTWAIT)) > 0) {
      libc.shutdown(descriptor, SHUT_WR);
      return;
    }
    libc.close(descriptor);
    open.delete(descriptor);
    total++;
    if (window.isOpen) count++;
  };
  const window = new Window(task);
  try {
    while (window.goesOn()) {
      while (open.size < task.connections && begin());
      const ready = epoll.wait(open.size < task.connections ? 1 : PATIENCE * 1000);
      if (ready === 0 && open.size === task.connections) throw new Error("Nothing was answered");
      for (let index = 0; index < ready; index++) goOn(epoll.dataAt(index));
    }
  } finally {
    for (const descriptor of open) libc.close(descriptor);
    epoll.close();
  }
  return window.measured(count, total);
}
