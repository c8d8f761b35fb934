import assert from "node:assert/strict";
import { echo } from "../relay/peer.ts";
import { brieflyOr, onlyForLong } from "../support/long.ts";
import { testWith } from "../support/tools.ts";
import { Lineage } from "./lineage.ts";
import { whyNoTakeover } from "./why_not.ts";

testWith(
  whyNoTakeover,
  "a drained proxy is drained after a takeover: owner, lease and who waits",
  async () => {
    await using service = await echo("old");
    await using next = await echo("new");
    await using lineage = await Lineage.found(service.address);
    const drain = { owner: "me", reason: "upgrade", exclusive: true, lease: "20m" };
    await lineage.proxy.drain(drain);
    // It absorbs a resume, later.
    assert.equal((await lineage.proxy.request("POST", "/v1/drain", drain)).status, 409);
    const before = await lineage.proxy.status();
    using held = await lineage.proxy.connect();
    await lineage.proxy.until(({ queued }) => queued === 1);

    const began = performance.now();
    for (let takeover = 0; takeover < brieflyOr(2, 5); takeover++) {
      await lineage.replace(next.address);
    }
    const took = performance.now() - began;
    const { state, owner, reason, since, leaseExpires, queued } = await lineage.proxy.status();
    assert.deepEqual([state, owner, reason, since, queued], [
      "drained",
      "me",
      "upgrade",
      before.since,
      1,
    ]);
    const moved = Date.parse(leaseExpires ?? "") - Date.parse(before.leaseExpires ?? "");
    // What was left of it is moved, so it stands still for as long as a takeover lasts.
    assert.ok(moved >= -10 && moved <= took, `the lease has moved by ${moved} ms of ${took} ms`);
    const refused = await lineage.proxy.request("POST", "/v1/resume", { owner: "you" });
    assert.equal(refused.status, 409);
    assert.equal(held.received, 0);
    // The first is absorbed.
    await lineage.proxy.resume();
    assert.equal((await lineage.proxy.status()).state, "drained");
    await lineage.proxy.resume();
    assert.equal(await held.read(3), "new");
  },
);

testWith(
  onlyForLong ?? whyNoTakeover,
  "proxyctl drain waits on through takeovers, until the last client has left",
  async () => {
    await using service = await echo();
    await using lineage = await Lineage.found(service.address);
    using client = await lineage.proxy.served();
    await using drain = lineage.proxy.startCtl(["drain", "--owner", "me", "--timeout", "5m"]);
    await lineage.proxy.until(({ state }) => state === "draining");
    for (let takeover = 0; takeover < brieflyOr(2, 5); takeover++) {
      await lineage.replace(service.address);
      const { state, owner, active } = await lineage.proxy.status();
      assert.deepEqual([state, owner, active], ["draining", "me", 1]);
    }
    client.finish();
    const { code, stdout, stderr } = await drain.finished();
    assert.equal(code, 0, stderr);
    assert.match(stdout, /^Drained/);
    assert.equal((await lineage.proxy.status()).state, "drained");
  },
);

testWith(
  onlyForLong ?? whyNoTakeover,
  "with-drain keeps its drain through a takeover, and ends it after its command",
  async () => {
    await using service = await echo();
    await using lineage = await Lineage.found(service.address);
    await using command = lineage.proxy.startCtl(["with-drain", "--", "cat"]);
    const { owner } = await lineage.proxy.until(({ state }) => state === "drained");
    await lineage.replace(service.address);
    const now = await lineage.proxy.status();
    assert.deepEqual([now.state, now.owner], ["drained", owner]);
    await command.closeStdin();
    const { code, stderr } = await command.finished();
    assert.equal(code, 0, stderr);
    assert.equal((await lineage.proxy.status()).state, "open");
  },
);
