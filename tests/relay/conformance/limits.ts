import assert from "node:assert/strict";
import { LINUX, unprivileged } from "../machine.ts";
import { echo, Peer } from "../peer.ts";
import { RelayInProcess } from "../relay_in_process.ts";
import type { Kind } from "../relays.ts";
import { Stage } from "../stage.ts";
import { eventually, pause, steady } from "../waiting.ts";

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
    for (const [index, client] of clients.entries()) {
      const server = await stage.service.next();
      assert.equal(await server.read(1), `${index}`);
      await pause(5);
      assert(stage.relay.active <= 2);
      assert(stage.service.accepted <= Math.max(2, index + 1));
      if (index < 1) continue;
      // The one before makes room.
      clients[index - 1]?.finish();
      stage.relay.close(stage.relay.connections()[0]?.id ?? -1, "killed");
      void client;
    }
    assert(stage.events.crowds.length > 0);
    assert.equal(stage.relay.counters.accepted, clients.length);
  });

  for (const limit of [300, 512]) {
    Deno.test({
      name: `${kind}: with ${limit} descriptors 1000 clients are all served`,
      ignore: !LINUX,
      fn: async () => {
        await using service = await echo();
        await using relay = await RelayInProcess.start(kind, service.address, limited(limit));
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
        const clients = Array.from({ length: 1000 }, client);
        await eventually(() => opened.length === 1000);
        await pause(200);
        const before = relay.busy;
        await pause(500);
        const used = relay.busy - before;
        assert(used < 100, `${used} ms of the processor in half a second with nothing to do`);
        assert(relay.descriptors < limit, "there are descriptors left for the rest of the process");
        rush = true;
        await Promise.all(clients);
        assert.deepEqual([ended, failures.slice(0, 5)], [1000, []]);
        const numbers = await relay.ask();
        assert.equal(numbers.accepted, 1000);
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
      await using relay = await RelayInProcess.start(kind, service.address, limited(limit));
      await relay.ask("hold");
      const clients: Peer[] = [];
      await relay.meanwhile(async () => {
        while (clients.length < limit) clients.push(await Peer.connect(relay.listen));
      });
      const { active } = await relay.ask();
      assert.equal(active, 0);
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
    name: `${kind}: after thousands of connections no descriptor is left behind, and it is quiet`,
    ignore: !LINUX,
    fn: async () => {
      await using service = await echo();
      await using relay = await RelayInProcess.start(kind, service.address);
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
        return await steady(() => relay.descriptors, 50);
      };
      await some(50);
      const before = await settled();
      await Promise.all(Array.from({ length: 20 }, () => some(100)));
      assert(await settled() <= before + 2);
      const { busy, wakeUps } = relay;
      await pause(1000);
      assert(relay.busy - busy <= 20, `${relay.busy - busy} ms busy`);
      assert(relay.wakeUps - wakeUps <= 10, `woke up ${relay.wakeUps - wakeUps} times`);
    },
  });
}

/** Words before a command that give it so many descriptors, and no right to raise that. */
function limited(descriptors: number): string[] {
  return ["sh", "-c", `ulimit -n ${descriptors} && exec "$@"`, "sh", ...unprivileged()];
}
