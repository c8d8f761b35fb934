import assert from "node:assert/strict";
import { formatAddress } from "../lib/address.ts";
import { echo } from "./relay/peer.ts";
import { Proxy } from "./support/proxy.ts";

Deno.test("bytes go through the proxy both ways, and the status says what it is", async () => {
  await using service = await echo("hello ");
  await using proxy = await Proxy.start(service.address);
  using client = await proxy.connect();
  await client.send("you");
  assert.equal(await client.read(9), "hello you");
  client.finish();
  assert.equal(await client.rest(), "");
  const status = await proxy.until(({ active }) => active === 0);
  const { state, queued, listen, upstream, accepted, bytesUp, bytesDown, pid } = status;
  assert.deepEqual([state, queued, accepted, bytesUp, bytesDown], ["open", 0, 1, 3, 9]);
  assert.deepEqual([listen, upstream, pid], [
    formatAddress(proxy.address),
    formatAddress(service.address),
    proxy.process.pid,
  ]);
});

Deno.test("with the permissions of the real program hundreds of clients are served at once", async () => {
  await using service = await echo();
  await using proxy = await Proxy.start(service.address);
  const clients = await Promise.all(Array.from({ length: 300 }, () => proxy.served()));
  assert.equal((await proxy.status()).active, 300);
  for (const client of clients) client[Symbol.dispose]();
});

Deno.test("the log says where it listens, for a port that the system chose as well", async () => {
  await using service = await echo();
  await using proxy = await Proxy.start(service.address);
  const listen = await proxy.logged("listen");
  assert.deepEqual(
    [
      listen["listen"],
      listen["upstream"],
      listen["state"],
      listen["runtimeDirectory"],
      listen["pid"],
    ],
    [
      formatAddress(proxy.address),
      formatAddress(service.address),
      "open",
      proxy.directory,
      proxy.process.pid,
    ],
  );
});

Deno.test("an upstream that does not answer yet is no error: the client is held until it does", async () => {
  const late = await echo();
  const { address } = late;
  await late[Symbol.asyncDispose]();
  await using proxy = await Proxy.start(address);
  using client = await proxy.connect();
  await client.send("hi");
  await proxy.logged("connect_failed");
  await using _service = await echo("", address);
  assert.equal(await client.read(2), "hi");
});
