/**
 * The beginning of a thread that carries bytes. Its event loop blocks, so the one message that it
 * ever gets is what it has to do; all else is in shared memory.
 *
 * @module
 */

import { messageOf } from "../../message_of.ts";
import type { Assignment, Report } from "./messages.ts";
import { Thread } from "./thread.ts";

const worker = globalThis as unknown as {
  onmessage: (message: MessageEvent<Assignment>) => void;
  postMessage(report: Report): void;
  close(): void;
};

worker.onmessage = ({ data }) => {
  try {
    new Thread(data, (report) => worker.postMessage(report)).run();
  } catch (error) {
    worker.postMessage({ died: messageOf(error) });
  }
  worker.close();
};

worker.postMessage({ loaded: true });
