import assert from "node:assert/strict";
import { Lineage } from "../handover/lineage.ts";
import { whyNoTakeover } from "../handover/why_not.ts";
import { echo } from "../relay/peer.ts";
import { Proxy } from "../support/proxy.ts";
import { testWith } from "../support/tools.ts";
import { both } from "./both.ts";
import { onlyForLong } from "../support/long.ts";

Deno.test("status", async () => {
  await using service = await echo();
  await using proxy = await Proxy.start(service.address);
  using _active = await proxy.served();
  await proxy.until(({ bytesDown }) => bytesDown === 2);
  const open = await both(proxy, "status");
  assert.deepEqual(open.json, await proxy.status());
  assert.equal(open.stderr, "");
  assert.match(
    open.text,
    /^state +open\nactive +1\nqueued +0(?: \(at most \d+\))?\nsuspended +0\nlisten +127\.0\.0\.1:\d+\nupstream /,
  );
  assert.match(open.text, /^bytes up +2 B\n/m);

  const args = ["drain", "--no-wait", "--owner", "me", "--reason", "for a test", "--timeout", "1h"];
  assert.equal((await proxy.ctl(args)).code, 0);
  const { text } = await both(proxy, "status");
  assert.match(
    text,
    /^state +draining\nowner +me\nreason +for a test\nsince +\S+ ago \([\d:]{8}Z\)\n/,
  );
  assert.match(text, /^deadline +in (1h|59m\S*) \((\S+ )?[\d:]{8}Z\)$/m);
});

testWith(
  onlyForLong ?? whyNoTakeover,
  "status --watch goes on when the proxy is replaced, and when it is restarted",
  async () => {
    await using service = await echo();
    await using lineage = await Lineage.found(service.address);
    const { proxy } = lineage;
    await using watching = proxy.startCtl(["status", "--watch", "--json"]);
    const seen = (pid: number) => watching.heard(new RegExp(`"pid":${pid},`), "stdout");
    await seen((await proxy.status()).pid);
    await lineage.replace(service.address);
    await seen((await lineage.proxy.status()).pid);
    await lineage.proxy.crash();
    await watching.heard(/; waiting for the next\n/);
    await lineage.succeed(service.address);
    await seen((await lineage.proxy.status()).pid);
  },
);
