import assert from "node:assert/strict";
import { EpollRelay } from "../../../lib/relay/epoll/relay.ts";
import { Peer, Service } from "../peer.ts";
import { plainOptions, UNHEARD } from "../plain.ts";
import { eventually } from "../waiting.ts";
import { STALL, STALLED } from "./stall.ts";

Deno.test("what a thread handles after a standstill in the middle of its turn was not idle before it", async () => {
  await using service = await Service.start();
  const worker = new Worker(import.meta.resolve("./stalling_worker.ts"), { type: "module" });
  await new Promise((resolve) => worker.onmessage = resolve);
  let stalls = 0;
  worker.addEventListener("message", ({ data }) => stalls += data.stalls ? 1 : 0);
  const options = plainOptions(service.address);
  const listen = { host: "127.0.0.1", port: 0 };
  const relay = await EpollRelay.listen(listen, options, UNHEARD, [worker]);
  await relay.open();
  using stalled = await Peer.connect(relay.listen);
  const stalling = await service.next();
  using other = await Peer.connect(relay.listen);
  const server = await service.next();
  await stalling.send(STALL);
  await eventually(() => stalls === 1);
  // While it stands still, they come together for its next turn.
  await stalling.send(STALL);
  await server.send("hello");
  await eventually(() => stalls === 2);
  assert.deepEqual(await relay.closeIdle(STALLED - 100, "drain"), []);
  assert.equal(await other.read(5), "hello");
  assert.equal(await stalled.read(2), `${STALL}${STALL}`);
  await relay.shutDown();
});
