/**
 * A thread that carries bytes for one relay after the other.
 *
 * @module
 */

import type { Assignment, Report } from "../../lib/relay/epoll/messages.ts";
import { Thread } from "../../lib/relay/epoll/thread.ts";
import { messageOf } from "../../lib/message_of.ts";

const worker = globalThis as unknown as {
  onmessage: (message: MessageEvent<Assignment>) => void;
  postMessage(report: Report): void;
};

worker.onmessage = ({ data }) => {
  try {
    new Thread(data, (report) => worker.postMessage(report)).run();
  } catch (error) {
    worker.postMessage({ died: messageOf(error) });
  }
};
