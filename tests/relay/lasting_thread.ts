/**
 * A thread that carries bytes for one relay after the other.
 *
 * @module
 */

import type { Order, Report } from "../../lib/relay/epoll/messages.ts";
import { Thread } from "../../lib/relay/epoll/thread.ts";
import { messageOf } from "../../lib/message_of.ts";

const worker = globalThis as unknown as {
  onmessage: (message: MessageEvent<Order>) => void;
  postMessage(report: Report): void;
};

let thread: Thread | null = null;

worker.onmessage = ({ data }) => {
  try {
    if ("assignment" in data) {
      thread = new Thread(data.assignment, (report) => worker.postMessage(report));
    }
    if ("told" in data) thread?.take(data.told);
    if ("begin" in data) thread?.run(data.begin);
  } catch (error) {
    worker.postMessage({ died: messageOf(error) });
  }
};
