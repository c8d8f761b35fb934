import assert from "node:assert/strict";
import { EpollRelay } from "../../../lib/relay/epoll/relay.ts";
import type { RelayOptions } from "../../../lib/relay/relay.ts";
import { Checksum } from "../checksum.ts";
import { echo, Peer, Service } from "../peer.ts";
import { plainOptions, UNHEARD } from "../plain.ts";
import { brieflyOr } from "../../support/long.ts";
import { eventually, pause } from "../waiting.ts";
import { openRelay } from "./open_relay.ts";

/** What is sent: each byte tells its place in the stream, but for whole turns of 251. */
const BYTES = Uint8Array.from({ length: 300_000 }, (_, index) => index % 251);

/** How often the connections are moved, at least. */
const MOVES = brieflyOr(4, 20);

function options(service: Service, threads: number): RelayOptions {
  return { ...plainOptions(service.address), maxConnections: 100, threads };
}

Deno.test("connections that are frozen and thawed, here or in another relay, lose nothing and go on", async () => {
  await using service = await Service.start();
  let relay = await openRelay(options(service, 1));
  const address = relay.listen;
  const pairs = [];
  for (let count = 0; count < 6; count++) {
    const client = await Peer.connect(address);
    pairs.push({ client, server: await service.next() });
  }
  let moves = 0;
  const ways = pairs.flatMap(({ client, server }) => [[client, server], [server, client]] as const);
  const transfers = ways.map(async ([from, to], index) => {
    // Bulk, small messages, and bulk to somebody who reads slowly: something is always on its way.
    const kind = index % 3;
    const longest = kind === 1 ? 5000 : 262_144;
    const checksum = new Checksum();
    for (let sent = 0, turn = 0; moves < MOVES; turn++) {
      if (kind === 2) turn % 4 === 0 ? to.socket.pause() : to.socket.resume();
      const bytes = BYTES.subarray(sent % 251).subarray(0, 1 + turn * 977 % longest);
      checksum.update(bytes);
      const written = from.send(bytes);
      if (to.socket.isPaused()) setTimeout(() => to.socket.resume(), 20);
      await written;
      sent += bytes.length;
    }
    from.finish();
    assert.equal(await to.ending, "end");
    assert.equal(to.checksum, checksum.value);
  });
  let over = false;
  const moving = (async () => {
    while (!over) {
      const moved = await relay.freeze();
      if (moves % 3 === 2) {
        await relay.thaw();
      } else {
        relay = await EpollRelay.takeOver(moved, options(service, 1 + moves % 2), UNHEARD);
        await relay.thaw();
        await relay.open();
      }
      moves++;
      await pause(moves % 4);
    }
  })();
  await Promise.all(transfers);
  over = true;
  await moving;
  await eventually(() => relay.active === 0, "the end of all");
  assert.equal(relay.counters.accepted, pairs.length);
  assert.equal(relay.counters.closed.finished, pairs.length);
  const received = pairs.reduce((sum, { server }) => sum + server.received, 0);
  assert.equal(relay.counters.bytesUp, received);
  await relay.shutDown();
});

Deno.test("a service whose answer goes on while it is moved has not spoken unasked, one that does so later has", async () => {
  const quiet = 100;
  await using service = await Service.start();
  const first = await openRelay(options(service, 1));
  const pairs = [];
  for (let count = 0; count < 2; count++) {
    const client = await Peer.connect(first.listen);
    pairs.push({ client, server: await service.next() });
  }
  for (const { client, server } of pairs) {
    await client.send("ask");
    await server.read(3);
    await server.send("an");
    await client.read(2);
  }
  const moved = await first.freeze();
  for (const { server } of pairs) await server.send("swer");
  await pause(2 * quiet);
  const second = await EpollRelay.takeOver(moved, options(service, 2), UNHEARD);
  await second.thaw();
  await second.open();
  for (const { client } of pairs) assert.equal(await client.read(4), "swer");
  await pause(2 * quiet);
  const [, pushing] = pairs;
  await pushing?.server.send("news");
  assert.equal(await pushing?.client.read(4), "news");
  await second.hold({ suspendQuiet: quiet, closeEnded: null });
  await eventually(() => second.suspended === 1);
  await pause(2 * quiet);
  const names = Array.from(second.connections(), ({ peer, tied }) => [peer, tied]);
  assert.deepEqual(names, [[pushing?.client.name, "spoke-unasked"]]);
  for (const { client, server } of pairs) {
    client.reset();
    server.reset();
  }
  await second.shutDown();
});

Deno.test("what a service said before it failed arrives, though another relay goes on with it", async () => {
  await using service = await Service.start();
  const first = await openRelay(options(service, 1));
  using client = await Peer.connect(first.listen);
  const server = await service.next();
  client.socket.pause();
  let sent = 0;
  // Until some of it stays in the relay, or unread before it.
  for (let isStuck = false; !isStuck; isStuck = first.counters.bytesDown < sent) {
    await server.send(BYTES.subarray(0, 32_000));
    sent += 32_000;
    for (let turns = 0; turns < 50 && first.counters.bytesDown < sent; turns++) await pause(1);
  }
  server.reset();
  // It has seen that: nothing that is sent to the service is passed on any more.
  await eventually(() => [...first.connections()][0]?.state === "service-ended");
  const second = await EpollRelay.takeOver(await first.freeze(), options(service, 1), UNHEARD);
  await second.thaw();
  client.socket.resume();
  assert.equal(await client.ending, "reset");
  assert.equal(client.received, sent);
  await eventually(() => second.active === 0, "the end of it");
  assert.equal(second.counters.closed.upstream_reset, 1);
  await second.shutDown();
});

Deno.test("how long clients were held is told of this hold only, in whatever process", async () => {
  await using service = await echo();
  const releases: number[] = [];
  const events = { ...UNHEARD, released: (held: number) => void releases.push(held) };
  const listen = { host: "127.0.0.1", port: 0 };
  let relay = await EpollRelay.listen(listen, options(service, 1), events);
  /** Holds a client for at least so long, then serves it. @returns for how long it was, at most */
  const holdOne = async (milliseconds: number) => {
    await relay.hold();
    using client = await Peer.connect(relay.listen);
    const came = performance.now();
    await eventually(() => relay.queued === 1, "a client that waits");
    await pause(milliseconds);
    const { held, longest } = await relay.open();
    const most = performance.now() - came + 50;
    assert.equal(held, 1);
    assert(longest <= most, `the longest for ${longest} ms, of ${most}`);
    await client.send("hello");
    await client.read(5);
    await eventually(() => releases.length === 1, "one that was released");
    const [told = NaN] = releases.splice(0);
    assert(told <= most, `held for ${told} ms, of ${most}`);
  };
  await holdOne(500);
  relay = await EpollRelay.takeOver(await relay.freeze(), options(service, 2), events);
  await relay.thaw();
  await relay.open();
  await holdOne(0);
  await relay.shutDown();
});
