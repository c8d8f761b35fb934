/** What becomes of a drain when those who asked for it go away. */

import assert from "node:assert/strict";
import { MOST_WAITERS } from "../../lib/drain/types.ts";
import { lendProxy } from "../support/lent_proxy.ts";
import { Proxy } from "../support/proxy.ts";
import { testWith, whyReadsOutliveClosing } from "../support/tools.ts";
import { until } from "../support/until.ts";

/** Asks for a drain over a connection of its own. */
async function ask(proxy: Proxy, body: object): Promise<Deno.UnixConn> {
  const socket = await Deno.connect({ transport: "unix", path: proxy.controlSocket });
  const text = JSON.stringify(body);
  const head = `POST /v1/drain HTTP/1.1\r\nhost: a\r\ncontent-length: ${text.length}\r\n\r\n`;
  await socket.write(new TextEncoder().encode(head + text));
  return socket;
}

Deno.test("a drain that could be told to nobody is over, though nothing was active", async () => {
  await using lent = await lendProxy();
  const { proxy } = lent;
  for (let time = 1; time <= 10; time++) {
    (await ask(proxy, { owner: "gone" })).close();
    const { cause } = await proxy.logged("resume", time);
    assert.equal(cause, "cancelled");
  }
  assert.equal((await proxy.status()).state, "open");
});

Deno.test("who has been told that it is drained may go", async () => {
  await using lent = await lendProxy();
  const { proxy } = lent;
  const told = await proxy.request("POST", "/v1/drain", { owner: "me" });
  assert.equal(JSON.parse(told.text).joined, false);
  (await ask(proxy, { owner: "me" })).close();
  await proxy.logged("drain", 2);
  const again = await proxy.request("POST", "/v1/drain", { owner: "me" });
  assert.equal(JSON.parse(again.text).joined, true);
  assert.equal((await proxy.status()).state, "drained");
  assert.deepEqual(proxy.log("resume"), []);
});

Deno.test("who has only ended the own direction hears how the drain turns out", async () => {
  await using lent = await lendProxy();
  const { proxy } = lent;
  using active = await proxy.served();
  using socket = await ask(proxy, { owner: "me" });
  await socket.closeWrite();
  const said = new Response(socket.readable).text();
  await proxy.logged("drain");
  active.finish();
  assert.match(await said, /"outcome":"drained"/);
  assert.equal((await proxy.status()).state, "drained");
});

testWith(
  whyReadsOutliveClosing,
  "those who wait for a drain leave room for others, who can end it",
  async () => {
    await using lent = await lendProxy();
    const { proxy } = lent;
    using _active = await proxy.served();
    const waiting = await Promise.all(
      Array.from({ length: MOST_WAITERS + 20 }, () => ask(proxy, { owner: "many" })),
    );
    const answers = waiting.map((socket) => new Response(socket.readable).text());
    await until(() => proxy.log("drain").length, (joined) => joined === MOST_WAITERS);
    const one = await proxy.request("POST", "/v1/drain", { owner: "many" });
    assert.deepEqual([one.status, JSON.parse(one.text).error.code], [503, "busy"]);
    assert.equal((await proxy.status()).state, "draining");
    assert.equal((await proxy.request("POST", "/v1/resume", { owner: "many" })).status, 200);
    const ended = (await Promise.all(answers)).filter((text) => text.includes('"outcome":"ended"'));
    assert.equal(ended.length, MOST_WAITERS);
  },
);
