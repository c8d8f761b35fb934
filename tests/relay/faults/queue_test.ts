import assert from "node:assert/strict";
import { listen } from "../../../lib/linux/socket.ts";
import { Stage } from "../stage.ts";
import { eventually, pause } from "../waiting.ts";
import { EPOLL_KINDS, KINDS } from "./kinds.ts";

const BACKLOG = 8;

/** A relay that holds, on a socket whose queue is short. */
function stageWithShortQueue(kind: (typeof KINDS)[number]): Promise<Stage> {
  const descriptor = listen({ host: "127.0.0.1", port: 0 }, false, BACKLOG);
  return Stage.set(kind, { listen: { descriptor }, holding: true });
}

for (const kind of EPOLL_KINDS) {
  Deno.test(`${kind}: that the queue fills is told once in a hold, before it is full`, async () => {
    await using stage = await stageWithShortQueue(kind);
    const { queues } = stage.events;
    for (let hold = 1; hold <= 2; hold++) {
      while (stage.relay.queued as number < BACKLOG / 2) await stage.client();
      // If it were told now, that would be seen when it is told later.
      assert.equal(queues.length, hold - 1);
      while (stage.relay.queued as number < BACKLOG) await stage.client();
      await eventually(() => queues.length === hold);
      const { queued, most } = queues.at(-1) ?? { queued: 0, most: 0 };
      assert.equal(most, BACKLOG);
      assert(queued >= 3 / 4 * BACKLOG && queued <= BACKLOG, `${queued}`);
      // Nobody is lost by that, and nothing is told of those who are served.
      const served = stage.service.accepted;
      const { held } = await stage.relay.open();
      assert.equal(held, BACKLOG);
      await eventually(() => stage.service.accepted === served + held);
      await stage.relay.hold();
      assert.equal(queues.length, hold);
    }
  });
}

for (const kind of KINDS) {
  Deno.test(`${kind}: clients for whom the queue has no room are served once it has`, async () => {
    await using stage = await stageWithShortQueue(kind);
    const clients = Array.from({ length: 4 * BACKLOG }, async () => {
      const client = await stage.client();
      await client.send("hello");
      return client;
    });
    await pause(100);
    assert.equal(stage.service.accepted, 0);
    await stage.relay.open();
    for (const _ of clients) assert.equal(await (await stage.service.next()).read(5), "hello");
    await Promise.all(clients);
    assert.equal(stage.relay.counters.accepted, clients.length);
  });
}
