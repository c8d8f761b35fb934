import assert from "node:assert/strict";
import type { ConnectionView } from "../../lib/control/api.ts";
import { Service } from "../relay/peer.ts";
import { Proxy } from "../support/proxy.ts";

const OLD = "220 old.example ESMTP\r\n";
const NEW = "220 new.example ESMTP\r\n";
const QUIT = "221 Bye\r\n";

Deno.test("a service that speaks first is never suspended; who comes meanwhile gets its banner from the next one", async () => {
  await using old = await Service.start({}, (peer) => {
    void peer.send(OLD);
    void peer.read("QUIT\r\n".length).then(() => peer.send(QUIT)).then(() => peer.finish());
  });
  await using next = await Service.start({}, (peer) => void peer.send(NEW));
  await using proxy = await Proxy.start(old.address, { args: ["--suspend-quiet", "50ms"] });
  using client = await proxy.connect();
  await client.read(OLD.length);
  await using drain = proxy.startCtl(["drain", "--owner", "me"]);
  await drain.heard(/; blocks because its service spoke first\n/);
  using waiting = await proxy.connect();
  await proxy.until(({ queued }) => queued === 1);
  await client.send("QUIT\r\n");
  assert.equal(await client.rest(), QUIT);
  client.finish();
  assert.equal((await drain.finished()).code, 0);
  await proxy.retarget(next.address);
  await proxy.resume();
  // It has not said a word.
  assert.equal(await waiting.read(NEW.length), NEW);
});

Deno.test("SSH is never suspended, whoever of the two speaks first", async () => {
  await using service = await Service.start({}, (peer) => {
    void peer.read("SSH-2.0-client\r\n".length).then(() => peer.send("SSH-2.0-server\r\n"));
  });
  await using proxy = await Proxy.start(service.address);
  using client = await proxy.connect();
  await client.send("SSH-2.0-client\r\n");
  await client.read("SSH-2.0-server\r\n".length);
  const { text } = await proxy.request("GET", "/v1/connections");
  const [one] = JSON.parse(text).connections as ConnectionView[];
  assert.equal(one?.tied, "ssh");
  await using drain = proxy.startCtl(["drain", "--suspend-quiet", "20ms", "--timeout", "300ms"]);
  assert.equal((await drain.finished()).code, 4);
  assert.match(drain.stderr, /; blocks because it is SSH\n/);
});
