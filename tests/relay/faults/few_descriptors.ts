/**
 * Where few clients may queue, and a relay has few descriptors: as many as there are these for are
 * held, and that the queue then fills is told. Its arguments are the relay's kind, and how many may
 * queue. It says "done".
 *
 * @module
 */

import assert from "node:assert/strict";
import { echo, Peer } from "../peer.ts";
import { RelayInProcess } from "../relay_in_process.ts";
import type { Kind } from "../relays.ts";
import { pause } from "../waiting.ts";

const [kind, backlog] = [Deno.args[0] as Kind, Number(Deno.args[1])];

await using service = await echo();
await using relay = await RelayInProcess.start(kind, service.address, ["prlimit", "--nofile=160"]);
for (let hold = 1; hold <= 2; hold++) {
  await relay.ask("hold");
  const clients: Peer[] = [];
  const come = async () => {
    clients.push(await Peer.connect(relay.listen));
    while ((await relay.ask()).queued !== clients.length) await pause(2);
  };
  // More than may queue are held without a word.
  while (clients.length < 2 * backlog) await come();
  assert.equal((await relay.ask()).filling, hold - 1);
  while ((await relay.ask()).filling < hold) await come();
  assert(clients.length > 3 * backlog, `${clients.length} were held`);
  // Those who leave make room for others, though nobody comes.
  const { accepted, closed } = await relay.ask();
  const leaving = clients.splice(0, backlog);
  for (const client of leaving) client.finish();
  const left = () => relay.ask().then(({ closed }) => closed.client_left);
  while (await left() < closed.client_left + leaving.length) await pause(2);
  const taken = () => relay.ask().then((now) => now.accepted - accepted);
  for (let tries = 0; tries < 500 && await taken() === 0; tries++) await pause(2);
  assert(await taken() > 0, "nobody took their place");
  await relay.ask("open");
  // There is no room for all of them at once.
  await Promise.all(clients.map(async (client) => {
    await client.send("hello");
    assert.equal(await client.read(5), "hello");
    client.finish();
    assert.equal(await client.rest(), "");
  }));
  const all = async () => (await relay.ask()).active === 0;
  for (let isOver = await all(); !isOver; isOver = await all()) await pause(2);
}
Deno.stdout.writeSync(new TextEncoder().encode("done\n"));
