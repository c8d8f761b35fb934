import assert from "node:assert/strict";
import { once } from "node:events";
import { Proxy } from "../support/proxy.ts";

Deno.test("a WebSocket is never suspended, and a drain says why; once it has closed, it is drained", async () => {
  await using server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen() {} }, (request) => {
    const { socket, response } = Deno.upgradeWebSocket(request);
    socket.onmessage = ({ data }) => socket.send(`you said ${data}`);
    return response;
  });
  await using proxy = await Proxy.start({ host: "127.0.0.1", port: server.addr.port });
  const client = new WebSocket(`ws://127.0.0.1:${proxy.address.port}/`);
  await once(client, "open");
  const ask = async () => {
    const answered = once(client, "message");
    client.send("hello");
    const [{ data }] = await answered as [MessageEvent<string>];
    assert.equal(data, "you said hello");
  };
  await ask();
  await using drain = proxy.startCtl(["drain", "--suspend-quiet", "50ms"]);
  await drain.heard(/1 active, .*; blocks because it has switched protocols\n/);
  await ask();
  const closed = once(client, "close");
  client.close();
  await closed;
  assert.equal((await drain.finished()).code, 0);
});
