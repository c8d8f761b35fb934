import assert from "node:assert/strict";
import { Service, unusedAddress } from "../relay/peer.ts";
import { Proxy } from "../support/proxy.ts";

Deno.test("resume --wait-upstream: 7 and still drained when it does not answer, else resumed", async () => {
  await using proxy = await Proxy.start(await unusedAddress());
  assert.equal((await proxy.ctl(["drain"])).code, 0);
  const failed = await proxy.ctl(["resume", "--wait-upstream", "300ms"]);
  assert.deepEqual([failed.code, failed.stdout], [7, ""]);
  assert.match(
    failed.stderr,
    /proxyctl: The upstream 127.0.0.1:\d+ does not answer; .* drained: start the service and resume .*\n$/,
  );
  assert.equal((await proxy.status()).state, "drained");
  assert.equal((await proxy.ctl(["resume", "--wait-upstream", "0s"])).code, 7);

  await using resume = proxy.startCtl(["resume", "--wait-upstream", "1m"]);
  await resume.heard(/^Waiting for the upstream to answer$/m);
  const { host, port } = parse((await proxy.status()).upstream);
  await using service = await Service.start({ host, port }, ({ socket }) => socket.end());
  assert.equal((await resume.finished()).code, 0);
  assert.equal((await proxy.status()).state, "open");
  assert.ok(service.accepted >= 1);
});

Deno.test("without --wait-upstream nobody asks the upstream", async () => {
  await using service = await Service.start();
  await using proxy = await Proxy.start(service.address);
  assert.equal((await proxy.ctl(["drain"])).code, 0);
  assert.equal((await proxy.ctl(["resume"])).code, 0);
  assert.equal(service.accepted, 0);
});

function parse(address: string): { host: string; port: number } {
  const [host = "", port] = address.split(":");
  return { host, port: Number(port) };
}
