import assert from "node:assert/strict";
import { echo } from "../relay/peer.ts";
import { Proxy } from "../support/proxy.ts";

Deno.test("a drain that fails names those who were in the way, and not those whom it held", async () => {
  await using service = await echo();
  await using proxy = await Proxy.start(service.address);
  using _blocker = await proxy.served();
  await using drain = proxy.startCtl(["drain", "--timeout", "500ms", "--json"]);
  await proxy.logged("drain");
  using held = await proxy.connect();
  await held.send("held");
  const { code, stdout } = await drain.finished();
  assert.equal(code, 4);
  const { active, blockers } = JSON.parse(stdout);
  assert.deepEqual([active, blockers.length], [1, 1]);
});
