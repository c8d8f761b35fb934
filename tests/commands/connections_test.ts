import assert from "node:assert/strict";
import { echo } from "../relay/peer.ts";
import { pause } from "../relay/waiting.ts";
import { lendProxy } from "../support/lent_proxy.ts";
import { onlyForLong } from "../support/long.ts";
import { Proxy } from "../support/proxy.ts";
import { TemporaryDirectory } from "../support/temporary.ts";
import { testWith, without } from "../support/tools.ts";
import { both } from "./both.ts";

Deno.test("connections", async () => {
  await using service = await echo();
  await using proxy = await Proxy.start(service.address);
  assert.equal((await both(proxy, "connections")).text, "No connections\n");
  using client = await proxy.served();
  await proxy.until(({ bytesDown }) => bytesDown === 2);
  const { text, json } = await both(proxy, "connections");
  const [one] = json;
  assert.equal(json.length, 1);
  assert.deepEqual([one.peer, one.bytesUp, one.bytesDown], [client.name, 2, 2]);
  assert.match(text, /^ID +PEER( +UPSTREAM)?( +STATE)? +AGE +IDLE +UP +DOWN( +PROCESS)?\n/);
  assert.match(
    text,
    new RegExp(`\n${one.id} +${client.name} +.* 2 B +2 B( +\\S+)?\n$`),
  );
});

testWith(
  onlyForLong ?? without("ss"),
  "the process of a peer on this machine is named",
  async () => {
    await using lent = await lendProxy();
    const { proxy } = lent;
    using _client = await proxy.served();
    const { text, json } = await both(proxy, "connections");
    assert.equal(json[0].process?.pid, Deno.pid);
    assert.match(text, new RegExp(`^ID .* PROCESS\n.* ${json[0].process.name}/${Deno.pid}\n$`));
    const grouped = await both(proxy, "connections", "--group");
    assert.deepEqual(grouped.json[0].processes, [json[0].process]);
  },
);

Deno.test("connections are sorted, picked, limited and grouped", async () => {
  await using service = await echo();
  await using proxy = await Proxy.start(service.address);
  using first = await proxy.served();
  using second = await proxy.served();
  await pause(10);
  using third = await proxy.served();
  // Times are in milliseconds: who is idle for longer is so by some of them.
  await pause(10);
  await second.send("more");
  await second.read(4);
  await proxy.until(({ bytesDown }) => bytesDown === 10);
  const peers = async (...args: string[]) => {
    const { stdout } = await proxy.ctl(["connections", "--json", ...args]);
    return JSON.parse(stdout).map(({ peer }: { peer: string }) => peer);
  };
  const [one, two, three] = [first.name, second.name, third.name];
  assert.deepEqual(await peers(), [one, two, three]);
  assert.deepEqual(await peers("--sort", "bytes", "--limit", "1"), [two]);
  assert.deepEqual(await peers("--sort", "idle"), [one, three, two]);
  assert.deepEqual(await peers("--peer", "127.0.0.1"), [one, two, three]);
  assert.deepEqual(await peers("--peer", "::/0"), []);
  const limited = await proxy.ctl(["connections", "--limit", "2"]);
  assert.match(limited.stdout, /\nand 1 more\n$/);
  const { text, json } = await both(proxy, "connections", "--group");
  const [{ peer, connections, bytesUp, bytesDown }, ...others] = json;
  assert.deepEqual([peer, connections, bytesUp, bytesDown, others], ["127.0.0.1", 3, 10, 10, []]);
  assert.match(text, /^PEER +CONNECTIONS +OLDEST +LONGEST IDLE +UP +DOWN.*\n127\.0\.0\.1 +3 /);
});

testWith(onlyForLong, "connections --watch goes on when the proxy is restarted", async () => {
  await using service = await echo();
  await using temporary = await TemporaryDirectory.make();
  const options = { directory: `${temporary.path}/proxy` };
  await using first = await Proxy.start(service.address, options);
  using _before = await first.served();
  await using watching = first.startCtl(["connections", "--watch", "--json"]);
  await watching.heard(/^\[\{/, "stdout");
  await first.crash();
  await watching.heard(/^proxyctl: .*; waiting for the next\n/);
  await using second = await Proxy.start(service.address, options);
  using after = await second.served();
  await watching.heard(new RegExp(`\n\\[\\{.*"peer":"${after.name}"`), "stdout");
});

Deno.test("those that are held are told apart, in the list and in the status", async () => {
  await using lent = await lendProxy();
  const { proxy } = lent;
  using _client = await proxy.served();
  await proxy.drain({ suspendQuiet: "20ms" });
  using queued = await proxy.connect();
  await queued.send("hi");
  await proxy.until((status) => status.queued === 1);
  const { text, json } = await both(proxy, "connections");
  assert.match(text, / +suspended +/);
  const [one] = json;
  assert.deepEqual([one.state, one.tied, typeof one.heldSince], ["suspended", null, "string"]);
  const { text: status } = await both(proxy, "status");
  assert.match(status, /^queued +1( \(at most \d+\))?\nsuspended +1\n/m);
});
