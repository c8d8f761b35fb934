import assert from "node:assert/strict";
import { formatAddress } from "../../lib/address.ts";
import { echo, unusedAddress } from "../relay/peer.ts";
import { Proxy } from "../support/proxy.ts";
import { MovingProxy } from "../control/moving_proxy.ts";
import { start } from "../support/programs.ts";
import { TemporaryDirectory } from "../support/temporary.ts";
import { until } from "../support/until.ts";
import { both } from "./both.ts";
import { onlyForLong } from "../support/long.ts";
import { testWith } from "../support/tools.ts";

Deno.test("retarget", async () => {
  await using service = await echo("new");
  await using proxy = await Proxy.start(await unusedAddress());
  const { upstream } = await proxy.status();
  const to = formatAddress(service.address);
  const { text, json } = await both(proxy, "retarget", to);
  assert.equal(text, `New connections go to ${to} (before: ${upstream})\n`);
  assert.deepEqual([json.upstream, json.previous], [to, to]);
  using client = await proxy.connect();
  assert.equal(await client.read(3), "new");
});

testWith(
  onlyForLong,
  "retarget --wait returns when the last one is gone that is elsewhere, says when it is too late, and ends with another retarget",
  async () => {
    await using directory = await TemporaryDirectory.make();
    await using first = await MovingProxy.start(directory.path, 1);
    const retarget = (...args: string[]) =>
      start("proxyctl", ["--runtime-dir", directory.path, "retarget", "new.example:81", ...args]);

    await using short = retarget("--wait", "--timeout", "200ms");
    const late = await short.finished();
    assert.equal(late.code, 4);
    assert.match(late.stderr, /1 connection is still elsewhere than at new.example:81, where new /);

    await using ended = retarget("--wait");
    await ended.heard(/waiting for 1 elsewhere/);
    await using waiting = retarget("--wait", "--json", "--suspend-quiet=700ms");
    await waiting.heard(/waiting for 1 elsewhere/);
    const { code, stderr } = await ended.finished();
    assert.equal(code, 9);
    assert.match(stderr, /somebody else has retargeted the proxy/);

    await using second = await first.move("second");
    assert.equal(second.relay.suspendElsewhere, 700);
    await until(() => Promise.resolve(second.requests.length), (asked) => asked > 1);
    second.relay.finishAll();
    const done = await waiting.finished();
    assert.equal(done.code, 0, done.stderr);
    const { upstream, previous, waitedSeconds } = JSON.parse(done.stdout);
    assert.deepEqual([upstream, previous], ["new.example:81", "new.example:81"]);
    assert.ok(waitedSeconds > 0);

    await using wrong = retarget("--timeout", "1s");
    assert.equal((await wrong.finished()).code, 2);
  },
);

Deno.test("retarget --suspend-quiet moves a client over at its next byte, and nobody waits", async () => {
  await using old = await echo();
  await using service = await echo("new:");
  await using proxy = await Proxy.start(old.address);
  using client = await proxy.served();
  const { code, stderr } = await proxy.ctl([
    ...["retarget", formatAddress(service.address), "--wait", "--suspend-quiet", "50ms"],
  ]);
  assert.equal(code, 0, stderr);
  const { state, active, suspended } = await proxy.status();
  assert.deepEqual([state, active, suspended], ["open", 0, 1]);
  await client.send("hi");
  assert.equal(await client.read(6), "new:hi");
  assert.equal((await proxy.status()).accepted, 1);
});
