import assert from "node:assert/strict";
import { EMFILE } from "../../../lib/linux/errno.ts";
import { makeEventCounter } from "../../../lib/linux/event_counter.ts";
import { libc } from "../../../lib/linux/libc.ts";
import { listen } from "../../../lib/linux/socket.ts";
import { Connection } from "../../../lib/relay/epoll/connection.ts";
import { CONTROL, SharedMemory } from "../../../lib/relay/epoll/shared.ts";
import { Table } from "../../../lib/relay/epoll/table.ts";
import { TargetMemory } from "../../../lib/relay/epoll/target.ts";
import { Thread } from "../../../lib/relay/epoll/thread.ts";

Deno.test("a thread that does not serve waits for no room, whatever a client lacks", () => {
  const shared = new SharedMemory();
  const waker = makeEventCounter();
  const listener = listen({ host: "127.0.0.1", port: 0 }, false, 1);
  const thread = new Thread({
    index: 0,
    threads: 1,
    listeners: [listener],
    wakers: [waker],
    shared: shared.buffer,
    table: Table.make(1).buffer,
    target: new TargetMemory().buffer,
    maxConnections: 1,
    maxPipes: 1,
    connectTimeout: Infinity,
    idleTimeout: Infinity,
    halfCloseTimeout: Infinity,
    keepAlive: null,
    userTimeout: null,
    descriptors: 100,
    maxConnecting: 10,
    abortOnClose: false,
    acceptProxy: [],
    sendProxy: null,
    tellEach: false,
  }, () => {});
  // It was connected when the hold came, and failed before that was known.
  const connection = new Connection(0);
  thread.lacks(connection, EMFILE);
  assert.notEqual(connection.heldSince, null);
  assert.equal(Atomics.load(shared.control, CONTROL.waiting), 1);
  // Or it would try again and again what it must not do.
  assert.equal(Atomics.load(shared.control, CONTROL.crowded), 0);
  libc.close(listener);
  libc.close(waker);
});
