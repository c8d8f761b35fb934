/**
 * A thread of a relay that stands still for a while whenever it has read {@linkcode STALL}, as if the
 * process had been stopped just then: in the middle of a turn of its loop.
 *
 * @module
 */

import { libc } from "../../../lib/linux/libc.ts";
import { STALL, STALLED } from "./stall.ts";

const recv = libc.recv;
Object.defineProperty(libc, "recv", {
  value(...[descriptor, buffer, length, flags]: Parameters<typeof recv>) {
    const count = recv(descriptor, buffer, length, flags);
    const isStall = count > 0 && buffer instanceof Uint8Array && buffer[0] === STALL.charCodeAt(0);
    if (isStall) {
      postMessage({ stalls: true });
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, STALLED);
    }
    return count;
  },
});

const { postMessage } = globalThis as unknown as { postMessage(report: object): void };

await import("../../../lib/relay/epoll/worker.ts");
