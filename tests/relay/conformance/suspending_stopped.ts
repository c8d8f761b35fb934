import assert from "node:assert/strict";
import { longestKeptBack } from "../../../lib/relay/conversation.ts";
import { LINUX } from "../machine.ts";
import { Peer, Service } from "../peer.ts";
import { quickEnough } from "../quick_enough.ts";
import { RelayInProcess } from "../relay_in_process.ts";
import type { Kind } from "../relays.ts";
import { pause } from "../waiting.ts";

const PAIRS = 20;

/** A process that was stopped, or frozen with its container, does not take that for silence. */
export function testSuspendingStopped(kind: Kind): void {
  Deno.test({
    name: `${kind}: while it suspends, a standstill cuts neither a request nor an answer`,
    ignore: !LINUX,
    fn: () =>
      quickEnough(async (quiet, talker) => {
        await using service = await Service.start();
        await using relay = await RelayInProcess.borrow(kind, service.address);
        const asking = await pairs(relay, service);
        const listening = await pairs(relay, service);
        await relay.ask(`hold ${quiet}`);
        talker.begins();
        // Requests that are not whole, and answered already; and answers that are not whole.
        const talk = async () => {
          await talker.pauses();
          await Promise.all([
            ...asking.map(({ client }) => client.send("body")),
            ...listening.map(({ server }) => server.send("more")),
          ]);
        };
        let said = 0;
        const goOn = async (times: number) => {
          for (; times > 0; times--, said++) await talk();
        };
        // However long ago they asked: when they are answered, they are in the middle of that.
        await goOn(1);
        const answeredAt = performance.now();
        await Promise.all(asking.map(({ server }) => server.send("soon")));
        await goOn(2);
        // Where the process stands still, and where it goes on.
        await relay.meanwhile(() => goOn(10));
        await goOn(4);
        // From then on the answer is kept back no more.
        const keptBack = performance.now() - answeredAt + quiet;
        if (keptBack > longestKeptBack(quiet)) talker.paused(keptBack);
        if (talker.isTooSlow) await talker.wasTooSlow;
        for (const { client, server } of asking) {
          assert.equal(await server.read(4 * said), "body".repeat(said));
          assert.equal(await client.read(4), "soon");
          await client.send("next");
        }
        for (const { client } of listening) {
          assert.equal(await client.read(4 * said), "more".repeat(said));
        }
        while ((await relay.ask()).suspended < asking.length) await pause(5);
        for (const { server } of asking) assert.equal(await server.rest(), "");
        assert.equal(service.accepted, 2 * PAIRS);
        await relay.ask("open");
        for (const _ of asking) assert.equal(await (await service.next()).read(4), "next");
        for (const { client } of [...asking, ...listening]) client[Symbol.dispose]();
      }),
  });
}

/** Clients that have asked, and their service, which has not answered yet. */
async function pairs(
  relay: RelayInProcess,
  service: Service,
): Promise<{ client: Peer; server: Peer }[]> {
  const all = [];
  for (let count = 0; count < PAIRS; count++) {
    const client = await Peer.connect(relay.listen);
    await client.send("head");
    const server = await service.next();
    assert.equal(await server.read(4), "head");
    all.push({ client, server });
  }
  return all;
}
