import assert from "node:assert/strict";
import type { Tie } from "../../../lib/relay/conversation.ts";
import { exchange, suspend } from "../letting_go.ts";
import type { Peer } from "../peer.ts";
import type { Kind } from "../relays.ts";
import { Stage } from "../stage.ts";
import { eventually, pause } from "../waiting.ts";

/** What counts as quiet, in milliseconds. */
const QUIET = 40;

/** What ties a client to its service, and what is said to bring that about. */
const TIES: readonly [string, Tie, (client: Peer, server: Peer) => Promise<void>][] = [
  ["that speaks before its client", "spoke-first", async (client, server) => {
    await server.send("220 ready");
    await client.read(9);
  }],
  ["that went on unasked after a silence", "spoke-unasked", async (client, server) => {
    await exchange(client, server, "listen");
    await pause(2 * QUIET);
    await server.send("news");
    await client.read(4);
  }],
  ["for TLS", "tls", (client, server) => exchange(client, server, "\x16\x03\x01\x02\x00")],
  ["for SSH", "ssh", async (client, server) => {
    for (const piece of ["S", "SH", "-2.0"]) {
      await client.send(piece);
      await server.read(piece.length);
    }
    await server.send("SSH-2.0");
    await client.read(7);
  }],
  ["for HTTP/2", "http2", (client, server) => exchange(client, server, "PRI * HTTP/2.0\r\n")],
  ["for CONNECT", "switched", (client, server) => exchange(client, server, "CONNECT a:443")],
  [
    "that is sent a PROXY header",
    "proxy-header",
    (client, server) =>
      exchange(client, server, "PROXY TCP4 192.0.2.7 198.51.100.1 54321 443\r\nGET /"),
  ],
  [
    "that is sent a binary PROXY header",
    "proxy-header",
    (client, server) => exchange(client, server, "\r\n\r\n\0\r\nQUIT\n\x20\0\0\0GET /"),
  ],
  ["that switched protocols", "switched", async (client, server) => {
    await client.send("GET / HTTP/1.1");
    await server.read(14);
    const switching = "HTTP/1.1 101 Switching Protocols\r\n\r\n";
    await server.send(switching);
    await client.read(switching.length);
  }],
];

/** Connections that cannot go on with another service are left alone, and say why. */
export function testTied(kind: Kind): void {
  for (const [what, tie, talk] of TIES) {
    Deno.test(`${kind}: a service ${what} is never let go`, async () => {
      await using stage = await Stage.set(kind);
      const { client, server } = await stage.pair();
      await talk(client, server);
      await staysWhileAnotherGoes(stage, client);
      assert.equal(stage.connections()[0]?.tied, tie);
      // Nothing is kept back, be it while it holds or later.
      await server.send("more");
      assert.equal(await client.read(4), "more");
      await exchange(client, server, "and on");
      await stage.relay.open();
      await exchange(client, server, "and on");
    });
  }

  for (const who of ["client", "service"] as const) {
    Deno.test(`${kind}: a connection whose ${who} has ended is never suspended`, async () => {
      await using stage = await Stage.set(kind);
      const { client, server } = await stage.pair();
      await exchange(client, server, "ask");
      const [ends, stays] = who === "client" ? [client, server] : [server, client];
      ends.finish();
      assert.equal(await stays.ending, "end");
      await staysWhileAnotherGoes(stage, client);
      const [connection] = stage.connections();
      assert.deepEqual([connection?.tied, connection?.state], ["ended", `${who}-ended`]);
      await stays.send("the rest");
      assert.equal(await ends.read(8), "the rest");
      stays.finish();
      assert.equal(await ends.ending, "end");
    });
  }

  Deno.test(`${kind}: the pauses of a service that was let go tie nobody to the next one`, async () => {
    await using stage = await Stage.set(kind);
    const { client, server } = await stage.pair();
    await exchange(client, server, "ask");
    await pause(2 * QUIET);
    await server.send("news");
    await client.read(4);
    const longer = 25 * QUIET;
    await stage.relay.hold(suspend(longer));
    await eventually(() => stage.relay.suspended === 1);
    await stage.relay.open();
    await client.send("on");
    const next = await stage.service.next();
    assert.equal(await next.read(2), "on");
    await stage.relay.hold(suspend(QUIET));
    assert.equal(stage.connections()[0]?.tied, null);
    await next.send("ok");
    await eventually(() => stage.relay.suspended === 1);
  });

  Deno.test(`${kind}: a client that turns out to be tied while its answer is kept back gets it at once`, async () => {
    await using stage = await Stage.set(kind);
    const { client, server } = await stage.pair();
    await stage.relay.hold(suspend(10_000));
    await client.send("SS");
    assert.equal(await server.read(2), "SS");
    await server.send("what?");
    await pause(20);
    assert.equal(client.received, 0);
    await client.send("H-2.0");
    assert.equal(await client.read(5), "what?");
    assert.equal(await server.read(5), "H-2.0");
  });

  Deno.test(`${kind}: an end behind an answer that was kept back comes with it`, async () => {
    await using stage = await Stage.set(kind);
    const { client, server } = await stage.pair();
    await stage.relay.hold(suspend(QUIET));
    await client.send("ask");
    await server.read(3);
    await server.send("done");
    server.finish();
    assert.equal(await client.rest(), "done");
    await client.send("bye");
    client.finish();
    assert.equal(await server.rest(), "bye");
    await stage.over();
    assert.deepEqual(stage.events.reasons, ["finished"]);
  });
}

/** Waits until a second client is suspended, which was there for as long as this one is quiet. */
async function staysWhileAnotherGoes(stage: Stage, client: Peer): Promise<void> {
  const other = await stage.pair();
  await exchange(other.client, other.server, "ask");
  await stage.relay.hold(suspend(QUIET));
  await eventually(() => stage.relay.suspended === 1);
  await pause(2 * QUIET);
  assert.deepEqual([stage.relay.suspended, stage.relay.active], [1, 1]);
  const [connection] = stage.connections();
  assert.deepEqual([connection?.peer, connection?.heldFor], [client.name, null]);
}
