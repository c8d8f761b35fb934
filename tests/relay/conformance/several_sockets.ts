import assert from "node:assert/strict";
import type { Address } from "../../../lib/address.ts";
import { LINUX } from "../machine.ts";
import { passedOn } from "../plain.ts";
import type { Kind } from "../relays.ts";
import { Stage } from "../stage.ts";
import { eventually } from "../waiting.ts";

/** Several listening sockets are one to everybody else. */
export function testSeveralSockets(kind: Kind): void {
  Deno.test({
    name: `${kind}: on several sockets all are served, held, counted and refused alike`,
    ignore: !LINUX,
    fn: async () => {
      // Not before: it can only be loaded where it can run.
      const { listen } = await import("../../../lib/linux/socket.ts");
      const sockets = ["127.0.0.1", "127.0.0.2", "127.0.0.3"]
        .map((host) => listen({ host, port: 0 }, false, 64));
      await using stage = await Stage.set(kind, { listen: passedOn(...sockets) });
      const { relay, service } = stage;
      const places = relay.listensAt as readonly Address[];
      assert.deepEqual(places.map(({ host }) => host), ["127.0.0.1", "127.0.0.2", "127.0.0.3"]);
      const first = await Promise.all(places.map((place) => stage.client(place)));
      for (const client of first) await client.send("hi");
      for (const _ of first) assert.equal(await (await service.next()).read(2), "hi");

      await relay.hold();
      const held = await Promise.all([...places, ...places].map((place) => stage.client(place)));
      for (const client of held) await client.send("ho");
      await eventually(() => relay.queued === held.length);
      assert.equal(service.accepted, first.length);
      assert.equal((await relay.open()).held, held.length);
      for (const _ of held) assert.equal(await (await service.next()).read(2), "ho");

      await relay.hold();
      const last = await Promise.all(places.map((place) => stage.client(place)));
      await eventually(() => relay.queued === last.length);
      await relay.stopListening();
      for (const place of places) {
        await assert.rejects(stage.client(place), { code: "ECONNREFUSED" });
      }
      await eventually(() => relay.active === first.length + held.length);
    },
  });
}
