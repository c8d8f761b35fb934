import assert from "node:assert/strict";
import { type Peer, unusedAddress } from "../peer.ts";
import type { Kind } from "../relays.ts";
import { Stage } from "../stage.ts";
import { eventually, pause, steady } from "../waiting.ts";

/** After which time connections are cut here that are idle, in milliseconds. */
const TIMEOUT = 400;

/** What ends a connection from the middle: both sides see a reset. */
export function testCutting(kind: Kind): void {
  Deno.test(`${kind}: a connection that is closed by its id is reset on both sides`, async () => {
    await using stage = await Stage.set(kind);
    const { client, server } = await stage.pair();
    await client.send("hello");
    await server.read(5);
    const [connection] = stage.connections();
    assert.equal(stage.relay.close(connection?.id ?? -1, "killed"), true);
    assert.deepEqual(await Promise.all([client.ending, server.ending]), ["reset", "reset"]);
    await stage.over();
    assert.deepEqual(stage.events.reasons, ["killed"]);
    assert.equal(stage.relay.close(connection?.id ?? -1, "killed"), false);
    assert.equal(stage.relay.close(12345, "killed"), false);
  });

  Deno.test(`${kind}: a connection that is closed while half of it is full is reset on both sides`, async () => {
    await using stage = await Stage.set(kind);
    const { client, server } = await stage.pair();
    client.socket.pause();
    server.send(new Uint8Array(64 << 20)).catch(() => {});
    await steady(() => stage.relay.counters.bytesDown, 50);
    stage.relay.close(stage.connections()[0]?.id ?? -1, "drain");
    client.socket.resume();
    assert.deepEqual(await Promise.all([client.ending, server.ending]), ["reset", "reset"]);
    await stage.over();
    assert.deepEqual(stage.events.reasons, ["drain"]);
  });

  Deno.test(`${kind}: a connection that is closed while it still connects is reset`, async () => {
    await using stage = await Stage.set(kind, { upstream: await unusedAddress() });
    const client = await stage.client();
    await eventually(() => stage.events.failures.length > 0);
    stage.relay.close(stage.connections()[0]?.id ?? -1, "killed");
    assert.equal(await client.ending, "reset");
    await stage.over();
    assert.deepEqual(stage.events.reasons, ["killed"]);
    assert.equal(stage.events.surrenders.length, 0);
  });

  Deno.test(`${kind}: an idle connection is cut by the idle timeout, a busy one is not`, () =>
    withTalk(TIMEOUT, async (talk) => {
      await using stage = await Stage.set(kind, { idleTimeout: TIMEOUT });
      const started = performance.now();
      const idle = await stage.pair();
      const busy = await stage.pair();
      let cut = false;
      const ended = Promise.all([idle.client.ending, idle.server.ending]).then((endings) => {
        cut = true;
        return endings;
      });
      while (!cut || performance.now() - started < 2 * TIMEOUT) await talk.say(busy);
      assert.deepEqual(await ended, ["reset", "reset"]);
      assert.deepEqual(stage.events.reasons, ["idle_timeout"]);
      assert((stage.events.closings[0]?.connection.age ?? 0) >= TIMEOUT - 5);
      await talk.say(busy);
    }));

  Deno.test(`${kind}: a connection one direction of which has ended is cut when the other is idle`, () =>
    withTalk(TIMEOUT, async (talk) => {
      await using stage = await Stage.set(kind, { halfCloseTimeout: TIMEOUT });
      const pair = await stage.pair();
      const { client, server } = pair;
      const whole = await stage.pair();
      client.finish();
      assert.equal(await server.ending, "end");
      const started = performance.now();
      while (performance.now() - started < 1.5 * TIMEOUT) await talk.say(pair);
      assert.equal(stage.relay.active, 2);
      assert.equal(await client.ending, "reset");
      await eventually(() => stage.events.closings.length === 1);
      assert.equal(stage.relay.active, 1);
      assert.deepEqual(stage.events.reasons, ["half_close_timeout"]);
      await assert.rejects(async () => {
        for (;;) await server.send("anyone there?");
      });
      // One that has not ended either way may be idle for as long as it likes.
      await whole.client.send("!");
      assert.equal(await whole.server.read(1), "!");
    }));

  Deno.test(`${kind}: a client that takes nothing of what is left is cut after both ends`, async () => {
    await using stage = await Stage.set(kind, { halfCloseTimeout: 300 });
    const { client, server } = await stage.pair();
    await client.send("all of it, please");
    await server.read(17);
    client.socket.pause();
    server.send(new Uint8Array(64 << 20)).catch(() => {});
    client.finish();
    server.finish();
    await stage.over();
    assert.deepEqual(stage.events.reasons, ["half_close_timeout"]);
    client.socket.resume();
    assert.equal(await client.ending, "reset");
  });
}

/** A service that says a byte again and again, and how long it was silent in between. */
class Talk {
  longest = 0;
  #last = performance.now();

  /** Has the service say a byte, and the client hear it. */
  async say({ client, server }: { client: Peer; server: Peer }): Promise<void> {
    try {
      await server.send(".");
      await client.read(1);
      await pause(20);
    } finally {
      const now = performance.now();
      this.longest = Math.max(this.longest, now - this.#last);
      this.#last = now;
    }
  }
}

/**
 * Tries something for which a connection has to be busy. On a machine that stood still meanwhile it was
 * idle, and a failure says nothing: then it is tried again.
 */
async function withTalk(timeout: number, attempt: (talk: Talk) => Promise<void>): Promise<void> {
  for (let attempts = 1;; attempts++) {
    const talk = new Talk();
    try {
      return await attempt(talk);
    } catch (error) {
      if (talk.longest < timeout / 2 || attempts === 10) throw error;
    }
  }
}
