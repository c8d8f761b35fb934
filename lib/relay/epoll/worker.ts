/**
 * The beginning of a thread that carries bytes. Its event loop blocks, so the one message that it
 * ever gets is what it has to do; all else is in shared memory.
 *
 * @module
 */

import type { Assignment, Report } from "./messages.ts";
import { Thread } from "./thread.ts";

const worker = globalThis as unknown as {
  onmessage: (message: MessageEvent<Assignment>) => void;
  postMessage(report: Report): void;
  close(): void;
};

worker.onmessage = ({ data }) => {
  new Thread(data, (report) => worker.postMessage(report)).run();
  worker.close();
};

worker.postMessage({ loaded: true });
