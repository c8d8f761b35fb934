import assert from "node:assert/strict";
import { listen } from "../../../lib/linux/socket.ts";
import { passedOn } from "../plain.ts";
import { NAMESPACES } from "../machine.ts";
import { Stage } from "../stage.ts";
import { pause } from "../waiting.ts";
import { EPOLL_KINDS, KINDS } from "./kinds.ts";
import { runInOwnNetwork } from "./own_network.ts";

const BACKLOG = 8;

/** A relay that holds, on a socket whose queue is short. */
function stageWithShortQueue(kind: (typeof KINDS)[number]): Promise<Stage> {
  const descriptor = listen({ host: "127.0.0.1", port: 0 }, false, BACKLOG);
  return Stage.set(kind, { listen: passedOn(descriptor), holding: true });
}

for (const kind of EPOLL_KINDS) {
  Deno.test({
    name:
      `${kind}: held clients are taken from the queue as far as there are descriptors; that it fills then is told once in a hold`,
    ignore: !NAMESPACES,
    fn: async () => {
      const said = await runInOwnNetwork(
        `sysctl -qw net.core.somaxconn=${BACKLOG}`,
        "few_descriptors.ts",
        kind,
        `${BACKLOG}`,
      );
      assert.equal(said, "done\n");
    },
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
