import assert from "node:assert/strict";
import { parseNetwork } from "../../../lib/network.ts";
import { EpollRelay } from "../../../lib/relay/epoll/relay.ts";
import { encodeHeader, type Endpoints } from "../../../lib/relay/proxy_protocol.ts";
import type { RelayOptions } from "../../../lib/relay/relay.ts";
import { exchange, suspend } from "../letting_go.ts";
import { Peer, Service } from "../peer.ts";
import { plainOptions } from "../plain.ts";
import { Recorder } from "../stage.ts";
import { eventually, pause } from "../waiting.ts";

const CLIENT: Endpoints = {
  source: { host: "192.0.2.7", port: 54321 },
  destination: { host: "198.51.100.1", port: 443 },
};
const NAME = "192.0.2.7:54321";
const HEADER = encodeHeader("v2", CLIENT);
const TOLD = encodeHeader("v1", CLIENT);

function options(service: Service): RelayOptions {
  return {
    ...plainOptions(service.address),
    acceptProxy: [parseNetwork("127.0.0.0/8")],
    sendProxy: "v1",
  };
}

/** Another relay goes on, as another process would; it holds. */
async function succeed(relay: EpollRelay, service: Service): Promise<EpollRelay> {
  const next = await EpollRelay.takeOver(await relay.freeze(), options(service), new Recorder());
  await next.thaw();
  return next;
}

async function hears(server: Peer, header: Uint8Array): Promise<void> {
  assert.equal(await server.read(header.length), new TextDecoder().decode(header));
}

Deno.test("whatever has come of a header when another relay goes on, it is taken once, and told once", async () => {
  await using service = await Service.start();
  const events = new Recorder();
  let relay = await EpollRelay.listen({ host: "127.0.0.1", port: 0 }, options(service), events);
  const address = relay.listen;
  await relay.open();
  const names = () => [...relay.connections(), ...relay.held()].map(({ peer }) => peer);
  // One that is served, one that is suspended, and one that the service never spoke with.
  using served = await Peer.connect(address);
  await served.send(HEADER);
  const atServed = await service.next();
  await hears(atServed, TOLD);
  // Tied to its service.
  await exchange(served, atServed, "SSH-");
  using suspended = await Peer.connect(address);
  await suspended.send(HEADER);
  const atSuspended = await service.next();
  await hears(atSuspended, TOLD);
  await exchange(suspended, atSuspended, "one");
  using silent = await Peer.connect(address);
  await silent.send(HEADER);
  await hears(await service.next(), TOLD);
  await relay.hold(suspend(20));
  await eventually(() => relay.suspended === 1 && relay.queued === 1 && relay.active === 1);
  await relay.hold();
  // Those whose header is not there, or half there, or there and not read yet by anybody.
  using nothing = await Peer.connect(address);
  using half = await Peer.connect(address);
  await half.send(HEADER.subarray(0, 14));
  using whole = await Peer.connect(address);
  await whole.send(HEADER);
  await whole.send("all");
  await pause(20);
  for (let count = 0; count < 2; count++) {
    relay = await succeed(relay, service);
    assert.deepEqual([relay.active, relay.suspended, relay.queued], [1, 1, 4]);
    assert.deepEqual(names(), [NAME, NAME, NAME]);
  }
  await relay.open();
  // Held no more by their headers, but for those that are still to come.
  const first = [await service.next(), await service.next()];
  for (const server of first) await hears(server, TOLD);
  await eventually(() => relay.queued === 2 && relay.active === 3);
  await half.send(HEADER.subarray(14, 20));
  await pause(10);
  // They are held here by now, and one of them has begun.
  relay = await succeed(relay, service);
  assert.equal(relay.queued, 2);
  await half.send(HEADER.subarray(20));
  await half.send("half");
  await eventually(() => names().filter((name) => name === NAME).length === 5);
  // Its header is taken, and nobody serves it yet.
  relay = await succeed(relay, service);
  await relay.open();
  const atHalf = await service.next();
  await hears(atHalf, TOLD);
  assert.equal(await atHalf.read(4), "half");
  await nothing.send(Uint8Array.of(...HEADER, ...new TextEncoder().encode("last")));
  const atNothing = await service.next();
  await hears(atNothing, TOLD);
  assert.equal(await atNothing.read(4), "last");
  await suspended.send("two");
  const second = await service.next();
  await hears(second, TOLD);
  assert.equal(await second.read(3), "two");
  await exchange(served, atServed, "two");
  assert.deepEqual([relay.active, relay.queued, service.accepted], [6, 0, 8]);
  await relay.shutDown();
});

Deno.test("a relay that thaws again goes on with the headers that are still to come", async () => {
  await using service = await Service.start();
  const events = new Recorder();
  const relay = await EpollRelay.listen({ host: "127.0.0.1", port: 0 }, options(service), events);
  await relay.open();
  using client = await Peer.connect(relay.listen);
  await client.send(HEADER.subarray(0, 10));
  await eventually(() => [...relay.held()].length === 1);
  await relay.freeze();
  await client.send(HEADER.subarray(10));
  await client.send("data");
  await pause(20);
  assert.equal(service.accepted, 0);
  await relay.thaw();
  const server = await service.next();
  await hears(server, TOLD);
  assert.equal(await server.read(4), "data");
  await relay.shutDown();
});
