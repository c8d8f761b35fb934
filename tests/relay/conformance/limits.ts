import assert from "node:assert/strict";
import { limited } from "../../linux/limited.ts";
import { brieflyOr } from "../../support/long.ts";
import { until } from "../../support/until.ts";
import { LINUX } from "../machine.ts";
import { echo, Peer } from "../peer.ts";
import { type Numbers, RelayInProcess } from "../relay_in_process.ts";
import type { Kind } from "../relays.ts";
import { Stage } from "../stage.ts";
import { eventually, pause, steady } from "../waiting.ts";

/** How many come while there are fewer descriptors. */
const CROWD = brieflyOr(400, 1000);

/** How many visit in a row, each 20 at a time. */
const VISITS = brieflyOr(15, 100);

/** Where there is no room, clients wait: they are never refused, reset or forgotten. */
export function testLimits(kind: Kind): void {
  Deno.test(`${kind}: those over the maximum wait, and are served in order`, async () => {
    await using stage = await Stage.set(kind, { maxConnections: 2 });
    const clients: Peer[] = [];
    for (let count = 0; count < 6; count++) {
      const client = await stage.client();
      await client.send(`${count}`);
      clients.push(client);
    }
    const served: string[] = [];
    for (const [index, client] of clients.entries()) {
      const server = await stage.service.next();
      served.push(await server.read(1));
      // The first two have room at once: in several threads neither waits for the other.
      if (index !== 0) {
        assert.deepEqual(served.toSorted(), [...clients.keys()].slice(0, index + 1).map(String));
      }
      await pause(5);
      assert(stage.relay.active <= 2);
      assert(stage.service.accepted <= Math.max(2, index + 1));
      if (index < 1) continue;
      // The one before makes room.
      clients[index - 1]?.finish();
      stage.relay.close(stage.connections()[0]?.id ?? -1, "killed");
      void client;
    }
    assert(stage.events.crowds.length > 0);
    assert.equal(stage.relay.counters.accepted, clients.length);
  });

  for (const limit of [300, 512]) {
    Deno.test({
      name: `${kind}: with ${limit} descriptors ${CROWD} clients are all served`,
      ignore: !LINUX,
      fn: async () => {
        await using service = await echo();
        await using relay = await RelayInProcess.borrow(kind, service.address, limited(limit));
        let ended = 0;
        const failures: unknown[] = [];
        let rush = false;
        const opened: Peer[] = [];
        const client = async () => {
          try {
            using peer = await Peer.connect(relay.listen);
            opened.push(peer);
            await peer.send("hello");
            await peer.read(5);
            // The first to come stay for a while.
            if (!rush) await eventually(() => rush);
            peer.finish();
            const ending = await peer.ending;
            if (ending !== "end") failures.push(ending);
          } catch (error) {
            failures.push(String(error));
          }
          ended++;
        };
        const clients = Array.from({ length: CROWD }, client);
        await eventually(() => opened.length === CROWD);
        const before = await steady(() => relay.busy, 200);
        await pause(500);
        const used = relay.busy - before;
        assert(used < 100, `${used} ms of the processor in half a second with nothing to do`);
        assert(relay.descriptors < limit, "there are descriptors left for the rest of the process");
        rush = true;
        await Promise.all(clients);
        assert.deepEqual([ended, failures.slice(0, 5)], [CROWD, []]);
        const numbers = await relay.ask();
        assert.equal(numbers.accepted, CROWD);
        assert.equal(numbers.failures, 0);
        assert.equal(relay.complaints, "");
      },
    });
  }

  Deno.test({
    name: `${kind}: a crowd that comes while it holds leaves it descriptors to go on with`,
    ignore: !LINUX,
    fn: async () => {
      const limit = 300;
      await using service = await echo();
      await using relay = await RelayInProcess.borrow(kind, service.address, limited(limit));
      await relay.ask("hold");
      const clients: Peer[] = [];
      await relay.meanwhile(async () => {
        while (clients.length < limit) clients.push(await Peer.connect(relay.listen));
      });
      // Where it cannot be known how many wait, nothing else is said, once some have been noticed.
      const hasNoticed = ({ queued }: Numbers) => queued === null || queued === clients.length;
      assert.equal((await until(() => relay.ask(), hasNoticed)).active, 0);
      assert.equal(service.accepted, 0);
      const { descriptors } = relay;
      assert(descriptors < limit - 50, `${descriptors} of ${limit} descriptors`);
      await relay.ask("open");
      for (const client of clients) {
        await client.send("hello");
        assert.equal(await client.read(5), "hello");
        client[Symbol.dispose]();
      }
      assert.equal((await relay.ask()).failures, 0);
    },
  });

  Deno.test({
    name:
      `${kind}: when it stops with more who wait than there are descriptors for, all others are served`,
    ignore: !LINUX,
    fn: async () => {
      const limit = 300;
      await using service = await echo();
      await using relay = await RelayInProcess.start(kind, service.address, limited(limit));
      const clients: Peer[] = [];
      while (clients.length < limit) clients.push(await Peer.connect(relay.listen));
      await until(() => relay.ask(), ({ full, queued }) => full > 0 && queued !== 0);
      const { broken, turnedAway } = await relay.ask("stop listening");
      assert.equal(broken, null);
      const served = await Promise.all(clients.map(async (client) => {
        try {
          await client.send("hello");
          await client.read(5);
          client.finish();
          return await client.ending === "end";
        } catch {
          return false;
        }
      }));
      const lost = served.filter((isServed) => !isServed).length;
      assert(lost > 0 && lost < limit, `${lost} were not served`);
      // How many wait in the system's queue, the portable relay cannot tell.
      if (kind !== "portable") assert.equal(lost, turnedAway);
      assert.equal(relay.complaints, "");
    },
  });

  Deno.test({
    name: `${kind}: after ${20 * VISITS} connections no descriptor is left behind, and it is quiet`,
    ignore: !LINUX,
    fn: async () => {
      await using service = await echo();
      await using relay = await RelayInProcess.borrow(kind, service.address);
      const some = async (count: number) => {
        for (let index = 0; index < count; index++) {
          using client = await Peer.connect(relay.listen);
          await client.send("hello");
          await client.read(5);
          if (index % 3 === 0) {
            client.reset();
          } else {
            client.finish();
            await client.ending;
          }
        }
      };
      const settled = async () => {
        while ((await relay.ask()).active > 0) await pause(5);
        return await steady(() => relay.descriptors, 200);
      };
      await some(50);
      const before = await settled();
      await Promise.all(Array.from({ length: 20 }, () => some(VISITS)));
      await settled();
      await eventually(() => relay.descriptors <= before + 2, "closed descriptors");
      // There may still be garbage to be collected.
      const second = async () => {
        const { busy, wakeUps } = relay;
        await pause(1000);
        return { busy: relay.busy - busy, wakeUps: relay.wakeUps - wakeUps };
      };
      await until(second, ({ busy, wakeUps }) => busy <= 20 && wakeUps <= 10);
    },
  });
}
