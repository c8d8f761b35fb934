import assert from "node:assert/strict";
import { SystemError } from "../../lib/linux/errno.ts";
import { queueOf } from "../../lib/linux/tcp_info.ts";
import { eventually } from "../relay/waiting.ts";
import { accept, Descriptor, listening } from "./sockets.ts";

Deno.test("the queue of a listening socket is as long as there are clients who wait", async () => {
  using listener = listening();
  const clients: Deno.Conn[] = [];
  assert.equal(queueOf(listener.number).length, 0);
  for (let count = 1; count <= 16; count++) {
    clients.push(await Deno.connect({ hostname: "127.0.0.1", port: listener.port }));
    await eventually(() => queueOf(listener.number).length === count);
  }
  // Those who went away are still queued.
  for (const client of clients) client.close();
  assert.equal(queueOf(listener.number).length, 16);
  for (let left = 15; left >= 0; left--) {
    using _accepted = await accept(listener);
    assert.equal(queueOf(listener.number).length, left);
  }
});

for (const backlog of [1, 8, 128]) {
  Deno.test(`the limit of a queue is the backlog of ${backlog} that was asked for`, () => {
    using listener = listening("127.0.0.1", backlog);
    assert.deepEqual(queueOf(listener.number), { length: 0, limit: backlog });
  });
}

Deno.test("the limit of a queue is no more than the system allows", () => {
  const most = Number(Deno.readTextFileSync("/proc/sys/net/core/somaxconn"));
  using listener = listening("127.0.0.1", most + 1);
  assert.equal(queueOf(listener.number).limit, most);
});

Deno.test("what is no TCP socket has no queue", () => {
  using file = new Descriptor(-1);
  assert.throws(() => queueOf(file.number), SystemError);
});
