import assert from "node:assert/strict";
import { echo } from "../relay/peer.ts";
import { Proxy } from "../support/proxy.ts";

Deno.test("metrics", async () => {
  await using service = await echo();
  await using proxy = await Proxy.start(service.address);
  const { code, stdout } = await proxy.ctl(["metrics"]);
  assert.equal(code, 0);
  assert.match(stdout, /^disnix_tcp_proxy_state\{state="open"\} 1$/m);
});
