import assert from "node:assert/strict";
import { Epoll } from "../../../lib/linux/epoll.ts";
import { libc } from "../../../lib/linux/libc.ts";
import { listen, localAddress } from "../../../lib/linux/socket.ts";
import {
  Acceptor,
  type AcceptorContext,
  type AcceptorParts,
} from "../../../lib/relay/epoll/acceptor.ts";
import { Listeners } from "../../../lib/relay/epoll/listeners.ts";
import { CONTROL, HOLDING, OPEN, SharedMemory } from "../../../lib/relay/epoll/shared.ts";

/** An acceptor of a thread that is in its first turn. */
function acceptorOf(
  listener: number,
  parts: Pick<
    AcceptorParts,
    "shared" | "epoll" | "maxConnections" | "descriptors" | "maxConnecting"
  >,
  heard: Pick<AcceptorContext, "accepted" | "held">,
): Acceptor {
  return new Acceptor({
    ...parts,
    context: { time: 0, turn: 1, full() {}, queueFilling() {}, ...heard },
    listeners: new Listeners([listener]),
    data: 0,
    isMonitor: true,
    mayBeHeld: false,
  });
}

Deno.test("a thread that finds nobody has not been seen active meanwhile", async () => {
  const shared = new SharedMemory();
  Atomics.store(shared.control, CONTROL.mode, OPEN);
  const epoll = new Epoll(1);
  const listener = listen({ host: "127.0.0.1", port: 0 }, false, 1);
  const room = { maxConnections: 10, descriptors: 100, maxConnecting: 10 };
  const acceptor = acceptorOf(listener, { shared, epoll, ...room }, {
    accepted: () => assert.fail("nobody is there"),
    held: () => assert.fail("nobody is held"),
  });
  acceptor.open();
  // The last connection of another thread may end at any moment of this.
  const watcher = new Worker(new URL("watching_worker.ts", import.meta.url), { type: "module" });
  const said = () => new Promise((resolve) => watcher.onmessage = ({ data }) => resolve(data));
  const ready = said();
  watcher.postMessage({ buffer: shared.buffer, word: CONTROL.active });
  await ready;
  const seen = said();
  for (let time = 0; time < 20_000; time++) acceptor.notice();
  Atomics.store(shared.control, CONTROL.active, -1);
  assert.deepEqual(await seen, []);
  acceptor.end();
  epoll.close();
  libc.close(listener);
  watcher.terminate();
});

Deno.test("a listening socket that the system has no memory to wait for is waited for later, and harms no thread", async () => {
  const shared = new SharedMemory();
  Atomics.store(shared.control, CONTROL.mode, OPEN);
  const epoll = new Epoll(1);
  let hasMemory = false;
  const tryToAdd = epoll.tryToAdd.bind(epoll);
  epoll.tryToAdd = (...words) => hasMemory && tryToAdd(...words);
  const listener = listen({ host: "127.0.0.1", port: 0 }, false, 1);
  let told = 0;
  const accepted: number[] = [];
  const context = {
    time: 5000,
    turn: 1,
    accepted: (client: number) => void accepted.push(client),
    held: () => assert.fail("nobody is held"),
    full: () => void told++,
    queueFilling() {},
  };
  const listeners = new Listeners([listener]);
  const room = { maxConnections: 10, descriptors: 100, maxConnecting: 10 };
  const parts = {
    context,
    shared,
    epoll,
    listeners,
    data: 7,
    isMonitor: true,
    mayBeHeld: false,
    ...room,
  };
  const acceptor = new Acceptor(parts);
  acceptor.hold();
  assert.deepEqual([acceptor.retryAt, told], [Infinity, 0]);
  acceptor.open();
  assert.deepEqual([acceptor.retryAt, told], [6000, 1]);
  acceptor.hold();
  assert.equal(acceptor.retryAt, Infinity);
  acceptor.open();
  hasMemory = true;
  acceptor.proceed();
  assert.equal(acceptor.retryAt, Infinity);
  assert.equal(Atomics.load(shared.control, CONTROL.crowded), 0);
  using _client = await Deno.connect({ hostname: "127.0.0.1", port: localAddress(listener).port });
  assert.equal(epoll.wait(-1), 1);
  assert.equal(epoll.dataAt(0), 7);
  acceptor.notice();
  assert.equal(accepted.length, 1);
  acceptor.end();
  for (const descriptor of [...accepted, listener]) libc.close(descriptor);
  epoll.close();
});

Deno.test("a thread that takes all who are queued takes no more than its table has rows for", async () => {
  const shared = new SharedMemory();
  const epoll = new Epoll(1);
  const listener = listen({ host: "127.0.0.1", port: 0 }, false, 16);
  const { port } = localAddress(listener);
  const taken: number[] = [];
  const room = { maxConnections: 1, descriptors: 4, maxConnecting: 1 };
  const acceptor = acceptorOf(listener, { shared, epoll, ...room }, {
    accepted: (client) => void taken.push(client),
    held(client) {
      Atomics.add(shared.control, CONTROL.waiting, 1);
      taken.push(client);
    },
  });
  acceptor.open();
  const clients = await Promise.all(
    Array.from({ length: 8 }, () => Deno.connect({ hostname: "127.0.0.1", port })),
  );
  acceptor.finish();
  assert.equal(taken.length, 4);
  acceptor.end();
  epoll.close();
  for (const descriptor of [...taken, listener]) libc.close(descriptor);
  for (const client of clients) client.close();
});

Deno.test("those who are taken from the queue while it is held leave sockets to be connected with", async () => {
  const shared = new SharedMemory();
  Atomics.store(shared.control, CONTROL.mode, HOLDING);
  Atomics.store(shared.control, CONTROL.takes, 1);
  const epoll = new Epoll(1);
  const listener = listen({ host: "127.0.0.1", port: 0 }, false, 40);
  const { port } = localAddress(listener);
  const clients = await Promise.all(
    Array.from({ length: 40 }, () => Deno.connect({ hostname: "127.0.0.1", port })),
  );
  const held: number[] = [];
  const room = { maxConnections: 40, descriptors: 20, maxConnecting: 10 };
  const acceptor = acceptorOf(listener, { shared, epoll, ...room }, {
    accepted: () => assert.fail("nobody is served"),
    held(client) {
      held.push(client);
      Atomics.add(shared.control, CONTROL.waiting, 1);
    },
  });
  acceptor.hold();
  acceptor.take();
  acceptor.notice();
  // A quarter of them, as these are few.
  assert.equal(held.length, 15);
  acceptor.end();
  epoll.close();
  for (const client of clients) client.close();
  for (const descriptor of [listener, ...held]) libc.close(descriptor);
});
