/**
 * The beginning of a thread that carries bytes. Its event loop blocks, so all messages that it ever
 * gets come before that: what it has to do, and with which connections. All else is in shared memory.
 *
 * @module
 */

import { messageOf } from "../../message_of.ts";
import type { Order, Report } from "./messages.ts";
import { Thread } from "./thread.ts";

const worker = globalThis as unknown as {
  onmessage: (message: MessageEvent<Order>) => void;
  postMessage(report: Report): void;
  close(): void;
};

let thread: Thread | null = null;

worker.onmessage = ({ data }) => {
  try {
    if ("assignment" in data) thread = new Thread(data.assignment, tell);
    if ("told" in data) thread?.take(data.told);
    if (!("begin" in data)) return;
    thread?.run(data.begin);
  } catch (error) {
    tell({ died: messageOf(error) });
  }
  worker.close();
};

function tell(report: Report): void {
  worker.postMessage(report);
}

tell({ loaded: true });
