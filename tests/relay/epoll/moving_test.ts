import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { EpollRelay } from "../../../lib/relay/epoll/relay.ts";
import type { RelayOptions } from "../../../lib/relay/relay.ts";
import { Peer, Service } from "../peer.ts";
import { plainOptions, UNHEARD } from "../plain.ts";
import { eventually, pause } from "../waiting.ts";

/** What is sent: each byte tells its place in the stream, but for whole turns of 251. */
const BYTES = Uint8Array.from({ length: 300_000 }, (_, index) => index % 251);

/** How often the connections are moved, at least. */
const MOVES = 20;

function options(service: Service, threads: number): RelayOptions {
  return { ...plainOptions(service.address), maxConnections: 100, threads };
}

Deno.test("connections that are frozen and thawed, here or in another relay, lose nothing and go on", async () => {
  await using service = await Service.start();
  let relay = await EpollRelay.listen(
    { host: "127.0.0.1", port: 0 },
    options(service, 1),
    UNHEARD,
  );
  const address = relay.listen;
  await relay.open();
  const pairs = [];
  for (let count = 0; count < 6; count++) {
    const client = await Peer.connect(address);
    pairs.push({ client, server: await service.next() });
  }
  let moves = 0;
  const ways = pairs.flatMap(({ client, server }) => [[client, server], [server, client]] as const);
  const transfers = ways.map(async ([from, to], index) => {
    // Bulk, small messages, and bulk to somebody who reads slowly: something is always on its way.
    const kind = index % 3;
    const longest = kind === 1 ? 5000 : 262_144;
    const hash = createHash("sha256");
    for (let sent = 0, turn = 0; moves < MOVES; turn++) {
      if (kind === 2) turn % 4 === 0 ? to.socket.pause() : to.socket.resume();
      const bytes = BYTES.subarray(sent % 251).subarray(0, 1 + turn * 977 % longest);
      hash.update(bytes);
      const written = from.send(bytes);
      if (to.socket.isPaused()) setTimeout(() => to.socket.resume(), 20);
      await written;
      sent += bytes.length;
    }
    from.finish();
    assert.equal(await to.ending, "end");
    assert.equal(to.digest(), hash.digest("hex"));
  });
  let over = false;
  const moving = (async () => {
    while (!over) {
      const moved = await relay.freeze();
      if (moves % 3 === 2) {
        await relay.thaw();
      } else {
        relay = await EpollRelay.takeOver(moved, options(service, 1 + moves % 2), UNHEARD);
        await relay.thaw();
        await relay.open();
      }
      moves++;
      await pause(moves % 4);
    }
  })();
  await Promise.all(transfers);
  over = true;
  await moving;
  await eventually(() => relay.active === 0, "the end of all");
  assert.equal(relay.counters.accepted, pairs.length);
  assert.equal(relay.counters.closed.finished, pairs.length);
  const received = pairs.reduce((sum, { server }) => sum + server.received, 0);
  assert.equal(relay.counters.bytesUp, received);
  await relay.shutDown();
});
