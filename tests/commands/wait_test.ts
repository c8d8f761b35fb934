import assert from "node:assert/strict";
import { echo } from "../relay/peer.ts";
import { start } from "../support/programs.ts";
import { Proxy } from "../support/proxy.ts";
import { TemporaryDirectory } from "../support/temporary.ts";
import { onlyForLong } from "../support/long.ts";
import { testWith } from "../support/tools.ts";

Deno.test("wait ends when the proxy is such, whoever makes it so", async () => {
  await using service = await echo();
  await using proxy = await Proxy.start(service.address);
  using client = await proxy.served();
  await using drained = proxy.startCtl(["wait", "--for", "drained", "--timeout", "none"]);
  await using nobody = proxy.startCtl(["wait", "--for", "no-connections", "--json"]);
  const open = await proxy.ctl(["wait", "--for", "open"]);
  assert.equal(open.code, 0);
  assert.match(open.stdout, /^After \S+: open, 1 active, 0 queued\n$/);
  await proxy.ctl(["drain", "--no-wait"]);
  client.finish();
  const { code, stdout } = await drained.finished();
  assert.equal(code, 0);
  assert.match(stdout, /^After \S+: drained, 0 active, 0 queued\n$/);
  const alone = await nobody.finished();
  assert.deepEqual([alone.code, JSON.parse(alone.stdout).active], [0, 0]);
  using _held = await proxy.connect();
  await proxy.until(({ queued }) => queued === 1);
  const vain = await proxy.ctl(["wait", "--for", "no-connections", "--timeout", "0s"]);
  assert.deepEqual([vain.code, vain.stdout], [4, ""]);
  assert.match(vain.stderr, /^proxyctl: Waited in vain for no-connections\. After .*, 1 queued\n$/);
});

testWith(onlyForLong, "wait goes on from one proxy to the next, and before the first", async () => {
  await using service = await echo();
  await using temporary = await TemporaryDirectory.make();
  const directory = `${temporary.path}/proxy`;
  const args = ["--runtime-dir", directory, "wait", "--timeout", "none", "--for"];
  await using first = start("proxyctl", [...args, "open"]);
  await first.heard(/No proxy runs at .*; waiting for one/);
  await using one = await Proxy.start(service.address, { directory });
  assert.equal((await first.finished()).code, 0);

  await using second = start("proxyctl", [...args, "drained"]);
  await one.crash();
  await second.heard(/waiting for one/);
  await using other = await Proxy.start(service.address, { directory });
  await other.drain();
  assert.equal((await second.finished()).code, 0);
});

Deno.test("wait ends with 3 when the time is over and no proxy is there", async () => {
  await using temporary = await TemporaryDirectory.make();
  const words = ["--runtime-dir", temporary.path, "wait", "--for", "open", "--timeout", "1ms"];
  await using waiting = start("proxyctl", words);
  const { code, stderr } = await waiting.finished();
  assert.equal(code, 3);
  assert.match(stderr, /\nproxyctl: Waited in vain for open\. No proxy runs at .*\n$/);
});

Deno.test("who is suspended is a connection that is waited for", async () => {
  await using service = await echo();
  await using proxy = await Proxy.start(service.address);
  using client = await proxy.served();
  await proxy.drain({ suspendQuiet: "20ms" });
  await proxy.resume();
  const late = await proxy.ctl(["wait", "--for", "no-connections", "--timeout", "200ms"]);
  assert.equal(late.code, 4);
  assert.match(late.stderr, /open, 0 active, 0 queued, 1 suspended/);
  await using waiting = proxy.startCtl(["wait", "--for", "no-connections"]);
  client.finish();
  assert.equal((await waiting.finished()).code, 0);
  assert.equal(await client.rest(), "");
  assert.equal(service.accepted, 1);
});
