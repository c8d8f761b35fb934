import assert from "node:assert/strict";
import { formatAddress } from "../../../lib/address.ts";
import { CLOSE_REASONS, type ConnectionOrder } from "../../../lib/relay/relay.ts";
import { IPV6 } from "../machine.ts";
import { echo, type Peer, Service } from "../peer.ts";
import type { Kind } from "../relays.ts";
import { Stage } from "../stage.ts";
import { eventually, pause } from "../waiting.ts";

/** What a relay says of itself is true. */
export function testReporting(kind: Kind): void {
  Deno.test(`${kind}: connections are reported as they are`, async () => {
    await using stage = await Stage.set(kind);
    assert(kind.startsWith(stage.relay.kind));
    assert(stage.relay.threads >= 1);
    assert.notEqual(stage.relay.listen.port, 0);
    assert.deepEqual(stage.connections(), []);
    const first = await stage.pair();
    await pause(50);
    const second = await stage.pair();
    await first.client.send("hello");
    await first.server.read(5);
    await second.server.send("hi");
    await second.client.read(2);
    // Both ends may know of bytes before they are counted.
    await eventually(() => stage.relay.counters.bytesUp + stage.relay.counters.bytesDown === 7);
    const [older, newer] = stage.connections();
    assert(older && newer);
    assert.equal(stage.relay.active, 2);
    assert.deepEqual([...stage.relay.connections(1)].map(({ id }) => id), [older.id]);
    assert(older.id !== newer.id && older.age >= newer.age + 45);
    assert.equal(older.peer, first.client.name);
    assert.equal(newer.peer, second.client.name);
    assert.equal(older.upstream, formatAddress(stage.service.address));
    assert.deepEqual([older.bytesUp, older.bytesDown], [5, 0]);
    assert.deepEqual([newer.bytesUp, newer.bytesDown], [0, 2]);
    assert.equal(older.state, "established");
    assert(older.idle >= 0 && older.idle <= older.age);
    await pause(300);
    assert((stage.connections()[0]?.idle ?? 0) >= 295);
    // On a busy machine it may have been idle for that long again when it is looked at.
    for (let idle = Infinity; idle >= 295;) {
      await first.server.send("x");
      await first.client.read(1);
      idle = stage.connections()[0]?.idle ?? Infinity;
    }
  });

  Deno.test(`${kind}: connections are listed in the order that is asked for`, async () => {
    await using stage = await Stage.set(kind);
    const clients: Peer[] = [];
    let bytesUp = 0;
    const say = async (client: Peer, bytes: number) => {
      await client.send("x".repeat(bytes));
      bytesUp += bytes;
      await eventually(() => stage.relay.counters.bytesUp === bytesUp);
      // The next one speaks later.
      await pause(2);
    };
    for (const bytes of [2, 3, 1]) {
      const { client } = await stage.pair();
      await say(client, bytes);
      clients.push(client);
    }
    await say(clients[0] as Peer, 1);
    const listed = (order?: ConnectionOrder, most?: number) =>
      [...stage.relay.connections(most, order)].map(({ peer }) =>
        clients.findIndex(({ name }) => name === peer)
      );
    assert.deepEqual(listed(), [0, 1, 2]);
    assert.deepEqual(listed("idle"), [1, 2, 0]);
    await say(clients[1] as Peer, 1);
    assert.deepEqual(listed("bytes"), [1, 0, 2]);
    assert.deepEqual(listed("bytes", 1), [1]);
  });

  Deno.test(`${kind}: totals and reasons are counted, and each change is told`, async () => {
    await using stage = await Stage.set(kind);
    const none = Object.fromEntries(CLOSE_REASONS.map((reason) => [reason, 0]));
    const { counters } = stage.relay;
    assert.deepEqual({ ...counters, closed: { ...counters.closed } }, {
      accepted: 0,
      bytesUp: 0,
      bytesDown: 0,
      connectFailures: 0,
      closed: none,
    });
    const finished = await stage.pair();
    await finished.client.send("hello");
    finished.client.finish();
    await finished.server.rest();
    finished.server.finish();
    await finished.client.ending;
    await stage.over();
    const clientReset = await stage.pair();
    clientReset.client.reset();
    await stage.over();
    const upstreamReset = await stage.pair();
    await upstreamReset.server.send("abc");
    await upstreamReset.client.read(3);
    upstreamReset.server.reset();
    await stage.over();
    await eventually(() => stage.relay.counters.bytesDown === 3);
    const now = stage.relay.counters;
    assert.equal(now.accepted, 3);
    assert.deepEqual([now.bytesUp, now.bytesDown], [5, 3]);
    assert.deepEqual({ ...now.closed }, {
      ...none,
      finished: 1,
      client_reset: 1,
      upstream_reset: 1,
    });
    assert.deepEqual(stage.events.reasons, ["finished", "client_reset", "upstream_reset"]);
    assert.equal(stage.events.openings.length, 3);
    const { calms } = stage.events;
    const held = await stage.pair();
    await stage.relay.hold();
    held.client.reset();
    await eventually(() => stage.events.calms > calms);
    const [last] = stage.events.closings;
    assert.equal(last?.connection.bytesUp, 5);
    assert.equal(last?.connection.peer, finished.client.name);
  });

  Deno.test({
    name: `${kind}: it takes IPv4 and IPv6 clients on all addresses`,
    ignore: !IPV6,
    fn: async () => {
      await using service = await echo();
      const listen = { host: null, port: 0 };
      await using stage = await Stage.set(kind, { listen, upstream: service.address });
      const { port } = stage.relay.listen;
      for (const host of ["127.0.0.1", "::1"]) {
        const client = await stage.client({ host, port });
        await client.send("hello");
        assert.equal(await client.read(5), "hello");
        assert(stage.connections().some(({ peer }) => peer === client.name), client.name);
      }
    },
  });

  Deno.test({
    name: `${kind}: it listens on an IPv6 address and has an IPv6 service`,
    ignore: !IPV6,
    fn: async () => {
      await using service = await Service.start(
        { host: "::1" },
        ({ socket }) => socket.pipe(socket),
      );
      const listen = { host: "::1", port: 0 };
      await using stage = await Stage.set(kind, { listen, upstream: service.address });
      assert.equal(stage.relay.listen.host, "::1");
      const client = await stage.client();
      await client.send("hello");
      assert.equal(await client.read(5), "hello");
      const [connection] = stage.connections();
      assert.equal(connection?.upstream, `[::1]:${service.address.port}`);
      assert.equal(connection?.peer, client.name);
    },
  });

  Deno.test(`${kind}: an address that is taken is an error`, async () => {
    await using service = await Service.start();
    await assert.rejects(Stage.set(kind, { listen: service.address }), { code: "EADDRINUSE" });
  });
}
