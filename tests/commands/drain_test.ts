import assert from "node:assert/strict";
import { userInfo } from "node:os";
import { echo } from "../relay/peer.ts";
import { lendProxy } from "../support/lent_proxy.ts";
import { Proxy } from "../support/proxy.ts";
import { both } from "./both.ts";
import { onlyForLong } from "../support/long.ts";
import { testWith } from "../support/tools.ts";

Deno.test("drain and resume", async () => {
  await using lent = await lendProxy();
  const { proxy } = lent;
  const drained = await both(proxy, "drain");
  assert.match(drained.text, /^Drained after \S+\n$/);
  const { waitedSeconds, ...rest } = drained.json as { waitedSeconds: number };
  assert.ok(waitedSeconds >= 0);
  assert.deepEqual(rest, {
    outcome: "drained",
    message: "Already drained; the lease was renewed",
    joined: true,
    connectionsCut: 0,
    active: 0,
    blockers: [],
  });
  const resumed = await both(proxy, "resume");
  assert.equal(resumed.text, "Resumed; nobody was held\n");
  assert.deepEqual(resumed.json, {
    changed: false,
    absorbed: false,
    held: 0,
    message: "Already open",
    longestHoldSeconds: 0,
  });
});

Deno.test("drain --dry-run tells what would be done, and whom it would wait for", async () => {
  await using lent = await lendProxy();
  const { proxy } = lent;
  using client = await proxy.served();
  const { text, json } = await both(proxy, "drain", "--dry-run");
  assert.match(text, /^Would hold new connections and wait for 1 active connection\nActive conn/);
  assert.ok(text.includes(client.name));
  assert.equal(json.would, "drain");
  assert.equal((await proxy.status()).state, "open");
  await proxy.ctl(["drain", "--no-wait", "--owner", "me"]);
  const refused = await proxy.ctl(["drain", "--dry-run", "--owner", "you"]);
  assert.equal(refused.code, 5);
});

Deno.test("none is no limit, of the timeout and of the lease", async () => {
  await using service = await echo();
  await using proxy = await Proxy.start(service.address, {
    args: ["--idle-timeout=none", "--half-close-timeout=none", "--connect-timeout=none"],
  });
  using active = await proxy.served();
  const args = ["drain", "--timeout", "none", "--lease", "none"];
  await using drain = proxy.startCtl(args);
  await proxy.logged("drain");
  assert.deepEqual([(await proxy.status()).state, (await proxy.status()).deadline], [
    "draining",
    null,
  ]);
  active.finish();
  assert.equal((await drain.finished()).code, 0);
  const { state, leaseExpires } = await proxy.status();
  assert.deepEqual([state, leaseExpires], ["drained", null]);
});

testWith(
  onlyForLong,
  "who holds a drain is $SUDO_USER, else the user, unless it is said",
  async () => {
    await using lent = await lendProxy();
    const { proxy } = lent;
    const ownerWith = async (args: string[], env: Record<string, string>) => {
      assert.equal((await proxy.ctl(["drain", ...args], { env })).code, 0);
      const { owner } = await proxy.status();
      assert.equal((await proxy.ctl(["resume", ...args], { env })).code, 0);
      assert.equal((await proxy.status()).state, "open");
      return owner;
    };
    assert.equal(await ownerWith([], { SUDO_USER: "" }), userInfo().username);
    assert.equal(await ownerWith([], { SUDO_USER: "alice" }), "alice");
    assert.equal(await ownerWith(["--owner", "bob"], { SUDO_USER: "alice" }), "bob");
  },
);

Deno.test("held by another: 5, with all there is to know and the command that ends it", async () => {
  await using lent = await lendProxy();
  const { proxy } = lent;
  const args = ["drain", "--owner", "it's me", "--reason", "upgrade", "--lease", "10m"];
  assert.equal((await proxy.ctl(args)).code, 0);
  for (const verb of ["drain", "resume"]) {
    const { code, stdout, stderr } = await proxy.ctl([verb, "--owner", "you"]);
    assert.deepEqual([code, stdout], [5, ""]);
    assert.match(
      stderr,
      /^proxyctl: The proxy is drained by "it's me" \(upgrade\) for \S+s \([\d:]{8}Z\), lease ends in (10m|9m\d+s); to end that: proxyctl resume --owner 'it'\\''s me'\n$/,
    );
  }
});

Deno.test("who drains with a shorter deadline than the one that there is hears of it at once", async () => {
  await using lent = await lendProxy();
  const { proxy } = lent;
  using active = await proxy.served();
  await using other = proxy.startCtl(["drain", "--owner", "me", "--timeout", "10m"]);
  await other.heard(/1 active/);
  await using drain = proxy.startCtl(["drain", "--owner", "me", "--timeout", "5m"]);
  await drain.heard(
    /^This shortens the drain that is there: its deadline is in 5m, not in (10m|9m\d+s)\nDraining /,
  );
  active.finish();
  assert.equal((await drain.finished()).code, 0);
});
