import assert from "node:assert/strict";
import { EpollRelay } from "../../../lib/relay/epoll/relay.ts";
import { brieflyOr } from "../../support/long.ts";
import { Peer, Service } from "../peer.ts";
import { plainOptions, UNHEARD } from "../plain.ts";
import { eventually } from "../waiting.ts";

/** How much of a stream a client takes before it leaves, in bytes: enough to be spliced. */
const TAKEN = 1 << 20;

/** How often clients leave in the middle of a stream, while others come. */
const ROUNDS = brieflyOr(8, 20);

Deno.test("who comes as others leave in the middle of a stream is never given what was theirs", async () => {
  const block = new Uint8Array(1 << 16);
  await using service = await Service.start({}, ({ socket }) => {
    const pour = () => {
      while (!socket.destroyed && socket.write(block));
    };
    // Those who say nothing get nothing.
    socket.once("data", pour);
    socket.on("drain", pour);
  });
  const relay = await EpollRelay.listen(
    { host: "127.0.0.1", port: 0 },
    plainOptions(service.address),
    UNHEARD,
  );
  await relay.open();
  let readers: Peer[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const connecting = Array.from({ length: 8 }, () => Peer.connect(relay.listen));
    for (const reader of readers) reader.reset();
    const peers = await Promise.all(connecting);
    readers = peers.slice(0, 4);
    for (const reader of readers) await reader.send("go on");
    await eventually(
      () => readers.every(({ received, socket }) => received >= TAKEN || socket.destroyed),
      "streams",
    );
    assert.deepEqual(readers.map(({ socket }) => socket.destroyed), Array(4).fill(false));
    for (const peer of peers.slice(4)) {
      assert.deepEqual([peer.received, peer.socket.destroyed], [0, false]);
      peer.reset();
    }
  }
  await relay.shutDown();
});
