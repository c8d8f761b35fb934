import assert from "node:assert/strict";
import { userInfo } from "node:os";
import { formatAddress } from "../lib/address.ts";
import { echo, Service, unusedAddress } from "./relay/peer.ts";
import { Proxy } from "./support/proxy.ts";

/** Runs a verb for people and for programs; both must succeed. */
async function both(proxy: Proxy, ...args: string[]) {
  const text = await proxy.ctl(args);
  const json = await proxy.ctl([...args, "--json"]);
  assert.deepEqual([text.code, json.code], [0, 0], `${text.stderr}${json.stderr}`);
  assert.equal(json.stdout.split("\n").length, 2, "one line");
  return { text: text.stdout, json: JSON.parse(json.stdout), stderr: text.stderr + json.stderr };
}

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
    /^state +open\nactive +1\nqueued +0\nlisten +127\.0\.0\.1:\d+\nupstream /,
  );
  assert.match(open.text, /^bytes up +2 B\n/m);

  const args = ["drain", "--no-wait", "--owner", "me", "--reason", "for a test", "--timeout", "1h"];
  assert.equal((await proxy.ctl(args)).code, 0);
  const { text } = await both(proxy, "status");
  assert.match(
    text,
    /^state +draining\nowner +me\nreason +for a test\nsince +\S+Z \(\d+m?s ago\)\n/,
  );
  assert.match(text, /^deadline +\S+Z \(in (1h|59m\d+s)\)$/m);
});

Deno.test("drain and resume", async () => {
  await using service = await echo();
  await using proxy = await Proxy.start(service.address);
  const drained = await both(proxy, "drain");
  assert.match(drained.text, /^Drained after \d+ms\n$/);
  const { waitedSeconds, ...rest } = drained.json as { waitedSeconds: number };
  assert.ok(waitedSeconds >= 0);
  assert.deepEqual(rest, {
    outcome: "drained",
    message: "Already drained; the lease was renewed",
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

Deno.test("connections and kill", async () => {
  await using service = await echo();
  await using proxy = await Proxy.start(service.address);
  assert.equal((await both(proxy, "connections")).text, "No active connections\n");
  using client = await proxy.served();
  await proxy.until(({ bytesDown }) => bytesDown === 2);
  const { text, json } = await both(proxy, "connections");
  const [one] = json;
  assert.equal(json.length, 1);
  assert.deepEqual([one.peer, one.bytesUp, one.bytesDown], [client.name, 2, 2]);
  assert.match(text, /^ID +PEER +UPSTREAM +STATE +AGE +IDLE +UP +DOWN\n/);
  assert.match(text, new RegExp(`\n${one.id} +${client.name} +.* established +.* 2 B +2 B\n$`));

  const killed = await proxy.ctl(["kill", `${one.id}`]);
  assert.deepEqual([killed.code, killed.stdout], [0, `Killed connection ${one.id}\n`]);
  assert.equal(await client.ending, "reset");
  const again = await proxy.ctl(["kill", `${one.id}`, "--json"]);
  assert.deepEqual([again.code, again.stdout], [8, ""]);
  assert.equal(again.stderr, `proxyctl: There is no connection ${one.id}\n`);
});

Deno.test("retarget", async () => {
  await using service = await echo("new");
  await using proxy = await Proxy.start(await unusedAddress());
  const { upstream } = await proxy.status();
  const to = formatAddress(service.address);
  const { text, json } = await both(proxy, "retarget", to);
  assert.equal(text, `New connections go to ${to} (before: ${upstream})\n`);
  assert.deepEqual(json, { upstream: to, previous: to });
  using client = await proxy.connect();
  assert.equal(await client.read(3), "new");
});

Deno.test("drain --dry-run tells what would be done, and whom it would wait for", async () => {
  await using service = await echo();
  await using proxy = await Proxy.start(service.address);
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

Deno.test("metrics", async () => {
  await using service = await echo();
  await using proxy = await Proxy.start(service.address);
  const { code, stdout } = await proxy.ctl(["metrics"]);
  assert.equal(code, 0);
  assert.match(stdout, /^disnix_tcp_proxy_state\{state="open"\} 1$/m);
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

Deno.test("who holds a drain is $SUDO_USER, else the user, unless it is said", async () => {
  await using service = await echo();
  await using proxy = await Proxy.start(service.address);
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
});

Deno.test("held by another: 5, with all there is to know and the command that ends it", async () => {
  await using service = await echo();
  await using proxy = await Proxy.start(service.address);
  const args = ["drain", "--owner", "it's me", "--reason", "upgrade", "--lease", "10m"];
  assert.equal((await proxy.ctl(args)).code, 0);
  for (const verb of ["drain", "resume"]) {
    const { code, stdout, stderr } = await proxy.ctl([verb, "--owner", "you"]);
    assert.deepEqual([code, stdout], [5, ""]);
    assert.match(
      stderr,
      /^proxyctl: The proxy is drained by "it's me" \(upgrade\) since \S+Z, lease until \S+Z; to end that: proxyctl resume --owner 'it'\\''s me'\n$/,
    );
  }
});

Deno.test("resume --wait-upstream: 7 and still drained when it does not answer, else resumed", async () => {
  await using proxy = await Proxy.start(await unusedAddress());
  assert.equal((await proxy.ctl(["drain"])).code, 0);
  const failed = await proxy.ctl(["resume", "--wait-upstream", "300ms"]);
  assert.deepEqual([failed.code, failed.stdout], [7, ""]);
  assert.match(
    failed.stderr,
    /proxyctl: The upstream 127.0.0.1:\d+ does not answer; .* drained\n$/,
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
