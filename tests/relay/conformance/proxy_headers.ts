import assert from "node:assert/strict";
import { parseNetwork } from "../../../lib/network.ts";
import { encodeHeader, type Endpoints, PROXY_VERSIONS } from "../../../lib/relay/proxy_protocol.ts";
import { exchange, suspend } from "../letting_go.ts";
import type { Peer } from "../peer.ts";
import type { Kind } from "../relays.ts";
import { Stage } from "../stage.ts";
import { eventually, pause } from "../waiting.ts";

/** What counts as quiet, in milliseconds. */
const QUIET = 40;

/** Who the client says it is, or who stands before it. */
const CLIENT: Endpoints = {
  source: { host: "2001:db8::7", port: 54321 },
  destination: { host: "2001:db8::1", port: 443 },
};
const NAME = "[2001:db8::7]:54321";

/** Whoever comes begins with a header. */
const ACCEPTING = { acceptProxy: [parseNetwork("127.0.0.0/8")] };

/** Headers of the PROXY protocol, of clients and to the service. */
export function testProxyHeaders(kind: Kind): void {
  for (const version of PROXY_VERSIONS) {
    Deno.test(`${kind}: until its header (${version}) is whole a client is held, and what is behind it is all that the service hears`, async () => {
      await using stage = await Stage.set(kind, ACCEPTING);
      const { relay } = stage;
      const client = await stage.client();
      const header = encodeHeader(version, CLIENT);
      for (const byte of header.subarray(0, -1)) {
        await client.send(Uint8Array.of(byte));
        await pause(0);
      }
      await eventually(() => relay.queued === 1 && relay.active === 0);
      assert.equal(stage.service.accepted, 0);
      await client.send(Uint8Array.of(...header.subarray(-1), ...new TextEncoder().encode("ask")));
      const server = await stage.service.next();
      assert.equal(await server.read(3), "ask");
      await exchange(client, server, "more");
      await eventually(() => stage.connections()[0]?.bytesDown === 4);
      const [connection] = stage.connections();
      assert.deepEqual([connection?.peer, connection?.state], [NAME, "established"]);
      assert.equal(connection?.bytesUp, 7);
      assert.deepEqual([relay.counters.bytesUp, relay.queued, relay.active], [7, 0, 1]);
      assert.deepEqual(stage.events.openings.map(({ peer }) => peer), [NAME]);
      // It was held for nothing but its header.
      assert.deepEqual(stage.events.releases, []);
      assert.ok(relay.close(connection?.id ?? 0, "killed"));
      assert.deepEqual([await client.ending, await server.ending], ["reset", "reset"]);
      await stage.over();
      assert.equal(stage.events.closings[0]?.connection.peer, NAME);
    });

    Deno.test(`${kind}: the service is told who the client is (${version}) before anybody speaks, and once more after a suspension`, async () => {
      await using stage = await Stage.set(kind, { sendProxy: version });
      const { relay } = stage;
      const client = await stage.client();
      const server = await stage.service.next();
      const source = { host: "127.0.0.1", port: client.socket.localPort as number };
      const expected = encodeHeader(version, { source, destination: relay.listen });
      await hears(server, expected);
      // A banner needs nothing of the client.
      await server.send("220 ready");
      assert.equal(await client.read(9), "220 ready");
      await exchange(client, server, "ask");
      await eventually(() => stage.connections()[0]?.bytesDown === 12);
      assert.equal(stage.connections()[0]?.bytesUp, 3);
      const other = await stage.client();
      await other.send("one");
      const first = await stage.service.next();
      const otherSource = { host: "127.0.0.1", port: other.socket.localPort as number };
      const toldOfOther = encodeHeader(version, {
        source: otherSource,
        destination: relay.listen,
      });
      await hears(first, toldOfOther);
      assert.equal(await first.read(3), "one");
      await first.send("one");
      await relay.hold(suspend(QUIET));
      await eventually(() => relay.suspended === 1, "a suspended client");
      await relay.open();
      await other.send("two");
      const second = await stage.service.next();
      await hears(second, toldOfOther);
      assert.equal(await second.read(3), "two");
      await eventually(() => relay.counters.bytesUp === 9);
    });

    Deno.test(`${kind}: what a client's header said goes on to the service (${version}), each time`, async () => {
      await using stage = await Stage.set(kind, { ...ACCEPTING, sendProxy: version });
      const { relay } = stage;
      const client = await stage.client();
      await client.send(encodeHeader("v1", CLIENT));
      await client.send("one");
      for (const word of ["one", "two"]) {
        const server = await stage.service.next();
        await hears(server, encodeHeader(version, CLIENT));
        assert.equal(await server.read(3), word);
        await server.send(word);
        assert.equal(await client.read(3), word);
        await relay.hold(suspend(QUIET));
        await eventually(() => relay.suspended === 1, "a suspended client");
        assert.deepEqual(stage.held().map(({ peer }) => peer), [NAME]);
        await relay.open();
        if (word === "one") await client.send("two");
      }
    });
  }

  Deno.test(`${kind}: a header that says nothing of the client changes nothing, and what follows its addresses is skipped`, async () => {
    await using stage = await Stage.set(kind, { ...ACCEPTING, sendProxy: "v2" });
    const local = encodeHeader("v2", CLIENT);
    local[12] = 0x20;
    const long = encodeHeader("v2", CLIENT);
    const values = new Uint8Array(9000);
    new DataView(long.buffer).setUint16(14, long.length - 16 + values.length);
    for (
      const [header, isKnown] of [
        [local, false],
        [new TextEncoder().encode("PROXY UNKNOWN\r\n"), false],
        [Uint8Array.of(...long, ...values), true],
      ] as const
    ) {
      const client = await stage.client();
      await client.send(header);
      await client.send("data");
      const server = await stage.service.next();
      const source = { host: "127.0.0.1", port: client.socket.localPort as number };
      const real = { source, destination: stage.relay.listen };
      await hears(server, encodeHeader("v2", isKnown ? CLIENT : real));
      assert.equal(await server.read(4), "data");
      assert.equal(stage.connections().at(-1)?.peer, isKnown ? NAME : client.name);
    }
  });

  Deno.test(`${kind}: who has to begin with a header and begins with something else is reset, and no service hears of it`, async () => {
    await using stage = await Stage.set(kind, ACCEPTING);
    const wrong = ["GET / HTTP/1.1\r\n\r\n", "PROXY TCP4 1.2.3.4 1.2.3.4 1 x\r\n", "\r\n\r\nx"];
    for (const holding of [false, true]) {
      if (holding) await stage.relay.hold();
      for (const words of wrong) {
        const client = await stage.client();
        await client.send(words);
        if (holding) continue;
        assert.equal(await client.ending, "reset");
      }
    }
    await stage.relay.open();
    await eventually(() => stage.events.reasons.length === 2 * wrong.length);
    assert.deepEqual(new Set(stage.events.reasons), new Set(["bad_header"]));
    assert.deepEqual(stage.events.badHeaders.length, 2 * wrong.length);
    assert.match(stage.events.badHeaders[0]?.peer ?? "", /^127\.0\.0\.1:/);
    assert.equal(stage.relay.counters.closed.bad_header, 2 * wrong.length);
    assert.deepEqual([stage.service.accepted, stage.relay.queued], [0, 0]);
  });

  Deno.test(`${kind}: a header has as long as a connect may take, but all the time while the relay holds`, async () => {
    await using stage = await Stage.set(kind, { ...ACCEPTING, connectTimeout: 150 });
    const { relay } = stage;
    const [silent, begun] = [await stage.client(), await stage.client()];
    await begun.send("PROXY TCP4");
    assert.deepEqual([await silent.ending, await begun.ending], ["reset", "reset"]);
    await eventually(() => relay.queued === 0 && stage.events.reasons.length === 2);
    assert.deepEqual(stage.events.reasons, ["bad_header", "bad_header"]);
    assert.match(stage.events.badHeaders[0]?.why ?? "", /connect timeout/);
    const late = await stage.client();
    await eventually(() => stage.held().length === 1);
    await relay.hold();
    await pause(200);
    assert.equal(relay.queued, 1);
    await relay.open();
    await late.send(encodeHeader("v2", CLIENT));
    await (await stage.service.next()).send("served");
    assert.equal(await late.read(6), "served");
    // From now on nothing is late.
    await pause(200);
    assert.deepEqual([relay.active, stage.events.reasons.length], [1, 2]);
  });

  Deno.test(`${kind}: of others a header is data, and what the first bytes say is behind the header`, async () => {
    const header = encodeHeader("v1", CLIENT);
    await using others = await Stage.set(kind, {
      acceptProxy: [parseNetwork("192.0.2.0/24"), parseNetwork("::/0")],
    });
    const stranger = await others.client();
    await stranger.send(header);
    await hears(await others.service.next(), header);
    assert.equal(others.connections()[0]?.peer, stranger.name);
    await using stage = await Stage.set(kind, { ...ACCEPTING, sendProxy: "v2" });
    const client = await stage.client();
    await client.send(header);
    await client.send(Uint8Array.of(0x16, 0x03, 0x01, 0x00));
    const server = await stage.service.next();
    await server.read(encodeHeader("v2", CLIENT).length + 4);
    await eventually(() => stage.connections()[0]?.tied === "tls");
  });

  Deno.test(`${kind}: an IPv4 client on a socket for both families is known by its IPv4 address`, async () => {
    await using stage = await Stage.set(kind, {
      ...ACCEPTING,
      listen: { host: null, port: 0 },
    });
    const client = await stage.client({ host: "127.0.0.1", port: stage.relay.listen.port });
    const mapped = { source: { host: "::ffff:192.0.2.7", port: 1 }, destination: CLIENT.source };
    await client.send(encodeHeader("v2", mapped));
    await stage.service.next();
    await eventually(() => stage.connections()[0]?.peer === "192.0.2.7:1");
  });

  Deno.test(`${kind}: who is held and has sent nothing but its header may leave, and one that stays is served in its name`, async () => {
    await using stage = await Stage.set(kind, ACCEPTING);
    const { relay } = stage;
    // Accepted before the relay holds, so that it is held here.
    const [leaves, stays, slow] = [
      await stage.client(),
      await stage.client(),
      await stage.client(),
    ];
    await eventually(() => stage.held().length === 3);
    await relay.hold();
    await leaves.send(encodeHeader("v2", CLIENT));
    await stays.send(encodeHeader("v2", CLIENT));
    await slow.send("PROX");
    await eventually(() => stage.held().filter(({ peer }) => peer === NAME).length === 2);
    leaves.finish();
    await eventually(() => stage.events.reasons.length === 1);
    assert.deepEqual(stage.events.reasons, ["client_left"]);
    const fromQueue = await stage.client();
    await fromQueue.send(encodeHeader("v1", CLIENT));
    const goneFromQueue = await stage.client();
    await goneFromQueue.send(encodeHeader("v1", CLIENT));
    goneFromQueue.finish();
    await pause(20);
    await relay.open();
    for (let count = 0; count < 2; count++) await (await stage.service.next()).send("now");
    for (const client of [stays, fromQueue]) assert.equal(await client.read(3), "now");
    await slow.send("Y UNKNOWN\r\n");
    await (await stage.service.next()).send("you");
    assert.equal(await slow.read(3), "you");
    await eventually(() => stage.events.reasons.length === 2);
    assert.deepEqual(stage.events.reasons, ["client_left", "client_left"]);
    assert.deepEqual([relay.active, relay.queued, stage.service.accepted], [3, 0, 3]);
    await eventually(() => stage.events.releases.length === 3);
  });

  Deno.test(`${kind}: with its header a client waits for room like any other`, async () => {
    await using stage = await Stage.set(kind, { ...ACCEPTING, maxConnections: 1 });
    const clients = [await stage.client(), await stage.client()];
    for (const client of clients) {
      await client.send(encodeHeader("v2", CLIENT));
      await client.send("ask");
    }
    const first = await stage.service.next();
    await pause(20);
    assert.deepEqual([stage.relay.active, stage.service.accepted], [1, 1]);
    first.finish();
    for (const client of clients) client.finish();
    const second = await stage.service.next();
    second.finish();
    for (const client of clients) assert.equal(await client.ending, "end");
  });

  Deno.test(`${kind}: a header stays before what the client says, however much that is and however slow the service`, async () => {
    await using stage = await Stage.set(kind, { ...ACCEPTING, sendProxy: "v1" });
    const client = await stage.client();
    const size = 4 << 20;
    const data = new Uint8Array(size).map((_, index) => index % 251);
    const sent = client.send(Uint8Array.of(...encodeHeader("v2", CLIENT)));
    const rest = client.send(data);
    const server = await stage.service.next();
    server.socket.pause();
    await pause(50);
    server.socket.resume();
    await Promise.all([sent, rest]);
    const header = encodeHeader("v1", CLIENT);
    await hears(server, header);
    await eventually(() => server.received === header.length + size);
    await eventually(() => stage.relay.counters.bytesUp === size);
  });
}

/** The service hears this header next: as text, as peers have what they hear. */
async function hears(server: Peer, header: Uint8Array): Promise<void> {
  assert.equal(await server.read(header.length), new TextDecoder().decode(header));
}
