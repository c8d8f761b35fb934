import assert from "node:assert/strict";
import { cookieOf } from "../../../lib/linux/socket.ts";
import { duplicate } from "../../../lib/linux/duplicate.ts";
import type { MovedRelay, Told } from "../../../lib/relay/epoll/moved.ts";
import { EpollRelay } from "../../../lib/relay/epoll/relay.ts";
import { startWorkers } from "../../../lib/relay/epoll/workers.ts";
import { endInPeace } from "../end_in_peace.ts";
import { Peer, Service } from "../peer.ts";
import { plainOptions, UNHEARD } from "../plain.ts";
import { eventually } from "../waiting.ts";
import { copied } from "./copied.ts";
import { openRelay } from "./open_relay.ts";

/** How many connections of each kind it tells of: ended, new, changed. */
function sizes({ ended, connections, changed }: Told): number[] {
  return [ended.length, connections.length, changed.length];
}

Deno.test("what is told ahead is told again only if it has changed; all goes on as it was at the end", async () => {
  await using service = await Service.start();
  await using stack = new AsyncDisposableStack();
  const options = { ...plainOptions(service.address), threads: 2 };
  const first = await openRelay(options);
  const begin = async () => {
    const client = stack.use(await Peer.connect(first.listen));
    const server = stack.use(await service.next());
    await client.send("hi");
    assert.equal(await server.read(2), "hi");
    return { client, server };
  };
  const say = async ({ client, server }: Awaited<ReturnType<typeof begin>>) => {
    await client.send("hello");
    assert.equal(await server.read(5), "hello");
  };
  const [idle, busy, ends] = [await begin(), await begin(), await begin()];
  const { foundation: given } = first.moving;
  const foundation = { ...given, listeners: given.listeners.map(duplicate) };
  const second = EpollRelay.found(foundation, options, UNHEARD, await startWorkers(2));

  /** @returns how many were told of, of each kind */
  const round = async (isFirst: boolean) => {
    const all = [0, 0, 0];
    await first.moving.copy(isFirst, (told) => {
      for (const [kind, count] of sizes(told).entries()) all[kind] = (all[kind] ?? 0) + count;
      second.moving.take(copied(told));
    });
    await second.moving.taken();
    return all;
  };
  assert.deepEqual(await round(true), [0, 3, 0]);
  assert.deepEqual(await round(false), [0, 0, 0]);
  await say(busy);
  await endInPeace(ends.client, ends.server);
  const late = await begin();
  assert.deepEqual(await round(false), [1, 1, 1]);
  assert.equal(second.moving.arrived, 3);
  await say(busy);
  const rest: MovedRelay = await first.freeze(true);
  assert.deepEqual(sizes(rest), [0, 0, 1]);

  await second.complete(copied(rest));
  assert.equal(second.active, 3);
  assert.deepEqual(second.counters, first.counters);
  await second.thaw();
  await second.open();
  await first.leave();
  const ids = [...second.connections()].map(({ id }) => id);
  assert.equal(new Set(ids).size, 3);
  for (const pair of [idle, busy, late]) {
    await say(pair);
    await pair.server.send("bye");
    assert.equal(await pair.client.read(3), "bye");
    const [view] = [...second.connections()].filter(({ peer }) => peer === pair.client.name);
    assert.equal(view?.bytesUp, pair === busy ? 17 : 7);
    await endInPeace(pair.client, pair.server);
  }
  const newcomer = stack.use(await Peer.connect(second.listen));
  const server = stack.use(await service.next());
  await newcomer.send("new");
  assert.equal(await server.read(3), "new");
  const [view] = [...second.connections()].filter(({ peer }) => peer === newcomer.name);
  assert.ok(view !== undefined && !ids.includes(view.id) && view.id > Math.max(...ids));
  await second.shutDown();
});

Deno.test("whoever is told ahead after somebody else is told of everything", async () => {
  await using service = await Service.start();
  const relay = await openRelay(plainOptions(service.address));
  using client = await Peer.connect(relay.listen);
  using server = await service.next();
  for (let receiver = 0; receiver < 2; receiver++) {
    const told: number[][] = [];
    await relay.moving.copy(true, (some) => told.push(sizes(some)));
    assert.deepEqual(told, [[0, 1, 0]]);
  }
  assert.deepEqual(sizes(await relay.freeze()), [0, 1, 0]);
  await relay.thaw();
  await client.send("hi");
  assert.equal(await server.read(2), "hi");
  await relay.shutDown();
});

/** Which socket that is; `null` if it is none. */
function cookie(descriptor: number): string | null {
  try {
    return cookieOf(descriptor);
  } catch {
    return null;
  }
}

Deno.test("the number of a socket that was told of is no other's before it can have been sent", async () => {
  await using service = await Service.start();
  const relay = await openRelay(plainOptions(service.address));
  using client = await Peer.connect(relay.listen);
  using server = await service.next();
  const sockets: number[] = [];
  await relay.moving.copy(true, ({ connections }) => {
    for (const { client, upstream } of connections) sockets.push(client, upstream);
  });
  const before = sockets.map(cookie);
  assert.equal(before.length, 2);
  await endInPeace(client, server);
  await eventually(() => relay.active === 0, "its end");
  assert.deepEqual(sockets.map(cookie), before);
  await relay.moving.copy(false, () => {});
  for (const [index, socket] of sockets.entries()) assert.notEqual(cookie(socket), before[index]);
  await relay.shutDown();
});
