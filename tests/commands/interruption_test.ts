import assert from "node:assert/strict";
import { lendProxy } from "../support/lent_proxy.ts";
import { onlyForLong } from "../support/long.ts";
import { testWith } from "../support/tools.ts";

Deno.test("Ctrl-C in a drain cancels it, says how many were held, and ends by the signal", async () => {
  await using lent = await lendProxy();
  const { proxy } = lent;
  using _active = await proxy.served();
  for (
    const [verb, signal] of [[["drain"], "SIGINT"], [
      ["with-drain", "--", "true"],
      "SIGTERM",
    ]] as const
  ) {
    await using drain = proxy.startCtl([...verb]);
    await drain.heard(/1 active, 0 queued/);
    const held = [await proxy.connect(), await proxy.connect()];
    await proxy.until(({ queued }) => queued === 2);
    drain.kill(signal);
    const finished = await drain.finished();
    assert.deepEqual([finished.signal, finished.stdout], [signal, ""]);
    assert.match(finished.stderr, /\nproxyctl: Cancelled: open again, 2 clients were held\n$/);
    assert.equal((await proxy.status()).state, "open");
    for (const peer of held) peer[Symbol.dispose]();
  }
});

testWith(
  onlyForLong,
  "Ctrl-C of one of two who wait for a drain leaves it to the other, and says so",
  async () => {
    await using lent = await lendProxy();
    const { proxy } = lent;
    using active = await proxy.served();
    await using other = proxy.startCtl(["drain", "--owner", "me"]);
    await other.heard(/1 active/);
    await using drain = proxy.startCtl(["drain", "--owner", "me"]);
    await drain.heard(/1 active/);
    drain.kill("SIGINT");
    const { stderr } = await drain.finished();
    assert.match(
      stderr,
      /\nproxyctl: Waits no more; the drain goes on for "me": draining, 1 active\n$/,
    );
    active.finish();
    assert.equal((await other.finished()).code, 0);
  },
);
