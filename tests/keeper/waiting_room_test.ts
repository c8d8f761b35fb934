import assert from "node:assert/strict";
import { whyNoEpoll } from "../../lib/linux/available.ts";
import { libc } from "../../lib/linux/libc.ts";
import { listen, localAddress } from "../../lib/linux/socket.ts";
import { queueOf } from "../../lib/linux/tcp_info.ts";
import { WaitingRoom } from "../../lib/keeper/waiting_room.ts";
import { NO_COUNTERS } from "../../lib/relay/counters.ts";
import { NOTHING_TOLD } from "../../lib/relay/epoll/moved.ts";
import { Peer } from "../relay/peer.ts";
import { Running } from "../support/programs.ts";
import { testWith, without } from "../support/tools.ts";
import { until } from "../support/until.ts";

/** What the kernel may queue. */
const BACKLOG = 8;
const CLIENTS = 30;

testWith(
  whyNoEpoll(),
  "a queue that is more than half full is taken over, in order; who leaves is dropped, and counted",
  async () => {
    const listener = listen({ host: "127.0.0.1", port: 0 }, false, BACKLOG);
    const address = localAddress(listener);
    const [first, second] = [1000.25, 2000.5];
    const room = new WaitingRoom({
      listeners: [listener],
      isInherited: false,
      lastId: 7,
      expected: 0,
      counters: NO_COUNTERS,
      arrivals: [first, second],
      ...NOTHING_TOLD,
    });
    room.open();
    const clients: Peer[] = [];
    for (let count = 1; count <= CLIENTS; count++) {
      clients.push(await Peer.connect(address));
      await until(() => (room.look(), room.queued), (queued) => queued === count);
      assert(queueOf(listener).length <= BACKLOG / 2);
    }
    const { connections, arrivals, counters, lastId } = room.relay;
    assert.equal(connections.length, CLIENTS - BACKLOG / 2);
    assert.deepEqual(connections.slice(0, 2).map(({ heldSince }) => heldSince), [first, second]);
    assert.deepEqual(arrivals, []);
    assert.equal(counters.accepted, connections.length);
    assert.deepEqual([connections[0]?.id, connections.at(-1)?.id], [8, lastId]);
    clients[0]?.finish();
    clients[1]?.reset();
    await clients[2]?.send("still there");
    clients[2]?.finish();
    await until(() => (room.look(), room.queued), (queued) => queued === CLIENTS - 2);
    assert.equal(room.counters.closed.client_left, 2);
    assert.equal(room.suspended, 0);
    assert.equal(room.reset(), CLIENTS - 2);
    libc.close(listener);
    for (const client of clients.slice(3)) assert.equal(await client.ending, "reset");
  },
);

testWith(
  whyNoEpoll(),
  "where no more can be held, those who leave make room for others, though nobody comes",
  async () => {
    const listener = listen({ host: "127.0.0.1", port: 0 }, false, BACKLOG);
    const address = localAddress(listener);
    const relay = {
      listeners: [listener],
      isInherited: false,
      lastId: 0,
      expected: 0,
      counters: NO_COUNTERS,
      arrivals: [],
      ...NOTHING_TOLD,
    };
    const room = new WaitingRoom(relay, 2);
    room.open();
    const clients: Peer[] = [];
    while (clients.length < 2 + BACKLOG) {
      clients.push(await Peer.connect(address));
      await until(() => (room.look(), room.queued), (queued) => queued === clients.length);
    }
    assert.equal(room.relay.connections.length, 2);
    clients[0]?.finish();
    await until(() => (room.look(), room.queued), (queued) => queued === clients.length - 1);
    assert.deepEqual(room.relay.connections.map(({ id }) => id), [2, 3]);
    assert.equal(queueOf(listener).length, BACKLOG - 1);
    room.reset();
    libc.close(listener);
    for (const client of clients.slice(1)) assert.equal(await client.ending, "reset");
  },
);

testWith(
  whyNoEpoll() ?? without("prlimit"),
  "with few descriptors a keeper holds clients as well, as many as a proxy does",
  async () => {
    const script = new URL("waiting_room.ts", import.meta.url).pathname;
    const run = [Deno.execPath(), "run", "--quiet", "--no-check", "--allow-all", script];
    const { stdout, stderr } = await new Running(["prlimit", "--nofile=200", ...run]).finished();
    assert.ok(Number(stdout) > 50, stdout + stderr);
  },
);
