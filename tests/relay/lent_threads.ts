/**
 * Threads that outlive their relay, and are the next one's: to start one takes as long as a whole test.
 *
 * @module
 */

import type { Report } from "../../lib/relay/epoll/messages.ts";

/** Those that carry bytes for nobody. */
const spare: Worker[] = [];

/** So many threads, for as long as a relay needs them. */
export function lentThreads(count: number): Worker[] {
  return Array.from({ length: count }, () => lend(spare.pop() ?? start()));
}

function start(): Worker {
  return new Worker(import.meta.resolve("./lasting_thread.ts"), { type: "module" });
}

/** A thread that comes back when it is to be terminated, unless it has died or hangs. */
function lend(thread: Worker): Worker {
  let hasEnded = false;
  const lent = {
    onmessage: (_message: MessageEvent<Report>) => {},
    onerror: (_error: ErrorEvent) => {},
    postMessage: (message: unknown) => thread.postMessage(message),
    terminate() {
      if (hasEnded) spare.push(thread);
      else thread.terminate();
    },
  };
  thread.onmessage = (message: MessageEvent<Report>) => {
    hasEnded ||= message.data.ended === true;
    lent.onmessage(message);
  };
  thread.onerror = (error) => lent.onerror(error);
  return lent as unknown as Worker;
}
