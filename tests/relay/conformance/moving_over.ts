import assert from "node:assert/strict";
import { formatAddress } from "../../../lib/address.ts";
import { exchange } from "../letting_go.ts";
import { echo, Service } from "../peer.ts";
import type { Kind } from "../relays.ts";
import { Stage } from "../stage.ts";
import { eventually, pause } from "../waiting.ts";

/** What counts as quiet, in milliseconds. */
const QUIET = 40;

/** So long that nobody is ever quiet. */
const NEVER_QUIET = 10_000;

/** Clients move over from one service to another, and nobody waits. */
export function testMovingOver(kind: Kind): void {
  Deno.test(`${kind}: after a retarget quiet connections move over with their next byte`, async () => {
    await using next = await Service.start();
    await using stage = await Stage.set(kind);
    const { relay } = stage;
    const pairs = [await stage.pair(), await stage.pair(), await stage.pair()];
    for (const { client, server } of pairs) await exchange(client, server, "one");
    assert.equal(relay.elsewhere, 0);
    relay.retarget(next.address, QUIET);
    const newcomer = await stage.client();
    await newcomer.send("new");
    const served = await next.next();
    assert.equal(await served.read(3), "new");
    await served.send("new");
    await eventually(() => relay.elsewhere === 0, "nobody elsewhere");
    assert.equal(relay.suspended, pairs.length);
    for (const { server } of pairs) assert.equal(await server.ending, "end");
    for (const { client } of pairs) {
      await client.send("two");
      const second = await next.next();
      await exchangeAnswer(second, client);
    }
    // Those at the new one stay, however quiet they are.
    await pause(3 * QUIET);
    assert.deepEqual([relay.active, relay.suspended], [pairs.length + 1, 0]);
    const addresses = new Set(stage.connections().map(({ upstream }) => upstream));
    assert.deepEqual(addresses, new Set([formatAddress(next.address)]));
    assert.deepEqual(stage.events.reasons, []);
  });

  Deno.test(`${kind}: after a retarget who asks without a pause moves over as well`, async () => {
    await using first = await echo();
    await using next = await echo();
    await using stage = await Stage.set(kind, { upstream: first.address });
    const client = await stage.client();
    let goesOn = true;
    let count = 0;
    const asking = (async () => {
      for (; goesOn; count++) {
        const word = `${count}`.padStart(6);
        await client.send(word);
        assert.equal(await client.read(6), word);
      }
    })();
    await eventually(() => count > 5);
    stage.relay.retarget(next.address, QUIET);
    await eventually(() => next.accepted === 1);
    const moved = count;
    await eventually(() => count > moved + 20);
    goesOn = false;
    await asking;
    assert.equal(stage.relay.elsewhere, 0);
    assert.deepEqual([first.accepted, next.accepted], [1, 1]);
  });

  Deno.test(`${kind}: after a retarget a client on whose connection nobody spoke is connected to the new service at once`, async () => {
    await using next = await Service.start();
    await using stage = await Stage.set(kind);
    const { client } = await stage.pair();
    stage.relay.retarget(next.address, QUIET);
    await (await next.next()).send("220 ready");
    assert.equal(await client.read(9), "220 ready");
  });

  Deno.test(`${kind}: connections elsewhere are counted, stay without a silence, and going back makes them current`, async () => {
    await using next = await Service.start();
    await using stage = await Stage.set(kind);
    const { relay, service } = stage;
    const pairs = [await stage.pair(), await stage.pair()];
    for (const { client, server } of pairs) await exchange(client, server, "one");
    for (const quiet of [null, NEVER_QUIET]) {
      relay.retarget(next.address, quiet);
      assert.equal(relay.elsewhere, pairs.length);
      await pause(3 * QUIET);
      assert.deepEqual([relay.elsewhere, relay.suspended], [pairs.length, 0]);
      relay.retarget(service.address, QUIET);
      assert.equal(relay.elsewhere, 0);
      await pause(3 * QUIET);
      assert.deepEqual([relay.active, relay.suspended], [pairs.length, 0]);
      for (const { client, server } of pairs) await exchange(client, server, "two");
    }
  });

  Deno.test(`${kind}: an answer that was kept back for a retarget comes when it is undone`, async () => {
    await using next = await Service.start();
    await using stage = await Stage.set(kind);
    const { client, server } = await stage.pair();
    stage.relay.retarget(next.address, NEVER_QUIET);
    await client.send("ask");
    await server.read(3);
    await server.send("yes");
    await pause(30);
    assert.equal(client.received, 0);
    stage.relay.retarget(stage.service.address);
    assert.equal(await client.read(3), "yes");
  });
}

/** The service answers what it was asked, and the client hears it. */
async function exchangeAnswer(
  server: Awaited<ReturnType<Service["next"]>>,
  client: Awaited<ReturnType<Stage["client"]>>,
): Promise<void> {
  const word = await server.read(3);
  await server.send(word);
  assert.equal(await client.read(3), word);
}
