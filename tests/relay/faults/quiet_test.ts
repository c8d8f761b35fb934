import assert from "node:assert/strict";
import { LINUX } from "../machine.ts";
import { echo, Peer, Service } from "../peer.ts";
import { RelayInProcess } from "../relay_in_process.ts";
import type { Kind } from "../relays.ts";
import { swallowingPort } from "../swallowing_port.ts";
import { pause } from "../waiting.ts";
import { EPOLL_KINDS, KINDS } from "./kinds.ts";

/** For how long it is watched, in milliseconds. */
const WATCHED = 500;

/** How many milliseconds of the processor, and wake-ups, are quiet: a spin is hundreds and thousands. */
const QUIET = { busy: 60, wakeUps: 60 };

for (const kind of KINDS) {
  Deno.test({
    name: `${kind}: however it is full, it is quiet as long as nothing happens`,
    ignore: !LINUX,
    fn: async () => {
      await using service = await echo();
      await using relay = await startFull(kind, service);
      const clients: Peer[] = [];
      for (let count = 0; count < 5; count++) clients.push(await Peer.connect(relay.listen));
      await until(relay, ({ accepted, queued }) => accepted + (queued ?? 0) >= 5);
      await quiet(relay, "full");
      clients.shift()?.reset();
      await until(relay, ({ active, closed }) => active === 3 && closed.client_reset === 1);
      await quiet(relay, "full, after one has left");
      await relay.ask("hold");
      await quiet(relay, "draining");
      clients.shift()?.reset();
      await quiet(relay, "draining, after one has left");
      for (const client of clients.splice(0, 2)) client.reset();
      await until(relay, ({ active }) => active <= 1);
      await quiet(relay, "drained, or nearly so");
      await relay.ask("open");
      for (const client of clients) {
        await client.send("hello");
        assert.equal(await client.read(5), "hello");
        client.reset();
      }
      await until(relay, ({ active }) => active === 0);
      await quiet(relay, "open, with nobody there");
      assert.equal(relay.complaints, "");
    },
  });
}

for (const kind of EPOLL_KINDS) {
  Deno.test({
    name:
      `${kind}: out of descriptors it is quiet, and so it is if it then holds, freezes or opens`,
    ignore: !LINUX,
    fn: async () => {
      await using service = await echo();
      await using relay = await RelayInProcess.start(kind, service.address);
      using first = await Peer.connect(relay.listen);
      await first.send("hello");
      await first.read(5);
      await leave(relay.pid, 0);
      using second = await Peer.connect(relay.listen);
      await until(relay, ({ full }) => full > 0);
      await relay.ask("hold");
      await quiet(relay, "draining");
      await relay.ask("freeze");
      await quiet(relay, "frozen");
      await relay.ask("thaw");
      await quiet(relay, "thawed");
      await relay.ask("open");
      await quiet(relay, "open");
      first[Symbol.dispose]();
      // Its descriptors are what the other waits for.
      await second.send("hello");
      assert.equal(await second.read(5), "hello");
      await quiet(relay, "open, with nobody who waits");
      assert.equal((await relay.ask()).broken, null);
      assert.equal(relay.complaints, "");
    },
  });
}

Deno.test({
  name: "while as many are on their way to the service as may be, it is quiet after a lack as well",
  ignore: !LINUX,
  fn: async () => {
    using service = await swallowingPort();
    const settings = { maxConnecting: 2, connectTimeout: null };
    await using relay = await RelayInProcess.start("epoll", service.address, [], { settings });
    const clients = await Promise.all([1, 2, 3, 4].map(() => Peer.connect(relay.listen)));
    await until(relay, ({ active }) => active === clients.length);
    await relay.ask("hold");
    await leave(relay.pid, 0);
    await relay.ask("open");
    await until(relay, ({ full }) => full > 0);
    // When it tries again there is enough for everybody, but not all may be on their way.
    await leave(relay.pid, 100);
    await until(relay, ({ active, queued }) => active === 2 && queued === 2);
    await quiet(relay, "two on their way, and two who wait for that");
    clients.shift()?.reset();
    await until(relay, ({ active, queued }) => active === 2 && queued === 1);
    for (const client of clients) client.reset();
    await until(relay, ({ active }) => active === 0);
    assert.equal(relay.complaints, "");
  },
});

function startFull(kind: Kind, { address }: Service): Promise<RelayInProcess> {
  return RelayInProcess.start(kind, address, [], { settings: { maxConnections: 3 } });
}

/** Asks until its numbers are so. */
async function until(
  relay: RelayInProcess,
  condition: (numbers: Awaited<ReturnType<RelayInProcess["ask"]>>) => boolean,
): Promise<void> {
  for (;;) {
    const numbers = await relay.ask();
    assert.equal(numbers.broken, null);
    if (condition(numbers)) return;
    await pause(20);
  }
}

/** @throws when it does anything to speak of */
async function quiet(relay: RelayInProcess, state: string): Promise<void> {
  // What it was asked before.
  await pause(50);
  const { busy, allWakeUps } = relay;
  await pause(WATCHED);
  const used = { busy: relay.busy - busy, wakeUps: relay.allWakeUps - allWakeUps };
  const spins = used.busy > QUIET.busy || used.wakeUps > QUIET.wakeUps;
  assert(!spins, `${state}: ${used.busy} ms and ${used.wakeUps} wake-ups in ${WATCHED} ms`);
}

/** Leaves a process so many descriptors besides those that it has. */
async function leave(pid: number, count: number): Promise<void> {
  const numbers = new Set([...Deno.readDirSync(`/proc/${pid}/fd`)].map(({ name }) => Number(name)));
  // Each new one gets the lowest number that is free.
  let limit = 0;
  for (let left = count; numbers.has(limit) || left > 0; limit++) if (!numbers.has(limit)) left--;
  const args = ["--pid", `${pid}`, `--nofile=${limit}:`];
  const { success } = await new Deno.Command("prlimit", { args }).output();
  assert(success, "prlimit");
}
