/**
 * A relay on a machine that has few ports for connections: a network namespace of its own, made by
 * ports_test.ts. Says "done" when all is as it should be.
 *
 * @module
 */

import assert from "node:assert/strict";
import { cpuUsage } from "node:process";
import { echo, type Peer } from "../peer.ts";
import type { Kind } from "../relays.ts";
import { Stage } from "../stage.ts";
import { eventually, pause } from "../waiting.ts";

const CONNECT_TIMEOUT = 500;

const [kind, given] = Deno.args as [Kind, string];
const ports = Number(given);

// Not of those few: each would be taken from them.
const listen = { host: null, port: 30_000 };
await using service = await echo("", { port: 30_001 });
await using stage = await Stage.set(kind, {
  listen,
  upstream: service.address,
  connectTimeout: CONNECT_TIMEOUT,
});
const { relay, events } = stage;
// Of an earlier hold nothing is told later, nor of how long somebody has waited for a port.
await relay.hold();
await relay.open();
const clients: Peer[] = [];
// To each of two addresses there are as many ports as the relay has towards its service.
for (const host of ["127.0.0.1", "127.0.0.2"]) {
  for (let count = 0; count < ports * 3 / 4; count++) {
    clients.push(await stage.client({ ...listen, host }));
  }
}
await eventually(() => events.lacks.length > 0, "that it says so");
assert.match(events.lacks[0] ?? "", /port/);
await eventually(() => relay.active + (relay.queued ?? 0) === clients.length);
// The system may keep one for itself.
const { active } = relay;
assert(active > ports / 2 && active <= ports, `${active}`);
const waiting = clients.length - active;
// Those that wait do so for longer than any would wait for a service, and cost nothing.
await pause(2 * CONNECT_TIMEOUT);
const before = cpuUsage();
await pause(500);
const { user, system } = cpuUsage(before);
assert(user + system < 100_000, `${user + system} µs of the processor with nothing to do`);
assert.deepEqual([relay.active, relay.queued], [active, waiting]);
assert.deepEqual(events.surrenders, []);
// Neither does a drain wait for them, and those that are served go on.
const began = performance.now();
await relay.hold();
assert.deepEqual([relay.active, relay.queued], [active, waiting]);
const { held, longest } = await relay.open();
assert.equal(held, waiting);
assert(longest <= performance.now() - began + 1, `the longest for ${longest} ms`);
for (const client of clients.splice(0, active - 5)) {
  await greet(client);
  client.reset();
}
for (const client of clients) await greet(client);
assert.deepEqual([relay.active, relay.queued], [clients.length, 0]);
assert.deepEqual(events.surrenders, []);
assert.deepEqual(events.breakages, []);
Deno.stdout.writeSync(new TextEncoder().encode("done\n"));

async function greet(client: Peer): Promise<void> {
  await client.send("hello");
  assert.equal(await client.read(5), "hello");
}
