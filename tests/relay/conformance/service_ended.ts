import assert from "node:assert/strict";
import type { LettingGo } from "../../../lib/relay/relay.ts";
import { exchange } from "../letting_go.ts";
import type { Kind } from "../relays.ts";
import { Stage } from "../stage.ts";
import { pause } from "../waiting.ts";

/** For how long the client must have been silent, in milliseconds. */
const SILENCE = 60;

const CLOSE_ENDED: LettingGo = { suspendQuiet: null, closeEnded: SILENCE };

/** Nobody waits for a service that has gone. */
export function testServiceEnded(kind: Kind): void {
  for (const ends of ["before", "after"]) {
    Deno.test(`${kind}: a connection whose service ended ${ends} it holds is over, in peace, once its client is silent`, async () => {
      await using stage = await Stage.set(kind);
      const { client, server } = await stage.pair();
      await exchange(client, server, "ask");
      if (ends === "after") await stage.relay.hold(CLOSE_ENDED);
      await server.send("the last");
      server.finish();
      assert.equal(await client.rest(), "the last");
      if (ends === "before") {
        await pause(2 * SILENCE);
        assert.equal(stage.relay.active, 1);
        await stage.relay.hold(CLOSE_ENDED);
      }
      await stage.over();
      assert.deepEqual(stage.events.reasons, ["finished"]);
      assert.equal(await server.ending, "end");
    });
  }

  Deno.test(`${kind}: a connection whose service ended goes on for as long as that is waited for`, async () => {
    await using stage = await Stage.set(kind);
    const { client, server } = await stage.pair();
    server.finish();
    await client.ending;
    await stage.relay.hold();
    await pause(3 * SILENCE);
    await exchangeOneWay();
    await stage.relay.hold(CLOSE_ENDED);
    // Whoever goes on to say something is heard.
    const saidUntil = performance.now() + 4 * SILENCE;
    let said = 0;
    while (performance.now() < saidUntil && stage.relay.active === 1) {
      await client.send(".");
      said++;
      await pause(5);
    }
    await stage.over();
    // Unless this machine was so slow that it was silent.
    if (performance.now() > saidUntil) assert.equal(server.received, 4 + said);
    assert.deepEqual(stage.events.reasons, ["finished"]);

    async function exchangeOneWay() {
      await client.send("more");
      assert.equal(await server.read(4), "more");
    }
  });

  Deno.test(`${kind}: a client that stops reading for a while in the middle of the last answer gets every byte`, async () => {
    await using stage = await Stage.set(kind);
    const { client, server } = await stage.pair();
    await client.send("ask");
    await server.read(3);
    await stage.relay.hold(CLOSE_ENDED);
    const size = 16 << 20;
    client.socket.pause();
    void server.send("z".repeat(size)).catch(() => {});
    server.finish();
    await pause(10 * SILENCE);
    assert.equal(stage.relay.active, 1);
    client.socket.resume();
    assert.equal(await client.ending, "end");
    assert.equal(client.received, size);
    await stage.over();
    assert.deepEqual(stage.events.reasons, ["finished"]);
  });

  Deno.test(`${kind}: a client whose last answer waits in its socket gets every byte, though it reads late`, async () => {
    await using stage = await Stage.set(kind);
    const { client, server } = await stage.pair();
    await client.send("ask");
    await server.read(3);
    await stage.relay.hold(CLOSE_ENDED);
    // Less than the system takes, of which the client takes nothing for now.
    const size = 1 << 20;
    client.socket.pause();
    await server.send("z".repeat(size));
    server.finish();
    await pause(5 * SILENCE);
    client.socket.resume();
    assert.equal(await client.ending, "end");
    assert.equal(client.received, size);
    await stage.over();
    assert.deepEqual(stage.events.reasons, ["finished"]);
  });
}
