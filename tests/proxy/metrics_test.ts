import assert from "node:assert/strict";
import { echo, unusedAddress } from "../relay/peer.ts";
import { Proxy } from "../support/proxy.ts";
import { testWith, without } from "../support/tools.ts";

/** Every sample by its name and labels. */
async function samples(proxy: Proxy): Promise<Record<string, number>> {
  const { text } = await proxy.request("GET", "/metrics");
  return Object.fromEntries(
    text.split("\n").filter((line) => line !== "" && !line.startsWith("#")).map((line) => {
      const [, name = "", value] = /^disnix_tcp_proxy_(\S+?(?:\{.*\})?) (\S+)$/.exec(line) ?? [];
      assert.notEqual(name, "", line);
      return [name, Number(value)];
    }),
  );
}

/** Those samples only, of these names. */
function only(all: Record<string, number>, ...names: string[]): (number | undefined)[] {
  return names.map((name) => all[name]);
}

Deno.test("every metric is there from the start, with its help and its type", async () => {
  await using service = await echo();
  await using proxy = await Proxy.start(service.address);
  const { text } = await proxy.request("GET", "/metrics");
  for (
    const [name, type] of [
      ["active_connections", "gauge"],
      ["queued_connections", "gauge"],
      ["suspended_connections", "gauge"],
      ["longest_hold_seconds", "gauge"],
      ["accepted_total", "counter"],
      ["closed_total", "counter"],
      ["bytes_total", "counter"],
      ["connect_failures_total", "counter"],
      ["drains_total", "counter"],
      ["drain_seconds", "histogram"],
      ["held_seconds", "histogram"],
      ["state", "gauge"],
      ["build_info", "gauge"],
      ["start_time_seconds", "gauge"],
    ]
  ) {
    assert.match(text, new RegExp(`^# HELP disnix_tcp_proxy_${name} \\S.*$`, "m"));
    assert.match(text, new RegExp(`^# TYPE disnix_tcp_proxy_${name} ${type}$`, "m"));
    assert.match(text, new RegExp(`^disnix_tcp_proxy_${name}\\S* \\S+$`, "m"));
  }
  const { version, relay, threads, startedAt } = await proxy.status();
  const all = await samples(proxy);
  const info = `build_info{version="${version}",relay="${relay}",threads="${threads}"}`;
  assert.equal(all[info], 1);
  assert.equal(all["start_time_seconds"], Date.parse(startedAt) / 1000);
});

Deno.test("connections, bytes and reasons are counted as they were", async () => {
  await using service = await echo("four");
  await using proxy = await Proxy.start(service.address);
  using first = await proxy.connect();
  using second = await proxy.connect();
  await first.send("123");
  assert.equal(await first.read(7), "four123");
  assert.equal(await second.read(4), "four");
  await proxy.until(({ bytesDown }) => bytesDown === 11);
  assert.deepEqual(
    only(
      await samples(proxy),
      "active_connections",
      "accepted_total",
      'bytes_total{direction="up"}',
      'bytes_total{direction="down"}',
    ),
    [2, 2, 3, 11],
  );
  first.finish();
  await proxy.logged("closed", 1);
  second.reset();
  await proxy.logged("closed", 2);
  using third = await proxy.connect();
  await third.read(4);
  const id = (await proxy.logged("opened", 3))["connection"];
  assert.ok((only(await samples(proxy), "oldest_connection_seconds")[0] ?? 0) > 0);
  await proxy.request("DELETE", `/v1/connections/${id}`);
  await proxy.logged("closed", 3);
  const all = await samples(proxy);
  const reasons = ["finished", "client_reset", "killed", "drain", "stopped", "idle_timeout"];
  const closed = reasons.map((reason) => `closed_total{reason="${reason}"}`);
  assert.deepEqual(only(all, ...closed), [1, 1, 1, 0, 0, 0]);
  assert.deepEqual(only(all, "active_connections", "accepted_total"), [0, 3]);
});

Deno.test("drains are counted by their outcome, with how long they and the held clients took", async () => {
  await using service = await echo();
  await using proxy = await Proxy.start(service.address);
  const ask = (path: string, body: object) => proxy.request("POST", path, { owner: "me", ...body });
  const outcomes = ["drained", "deadline", "cancelled", "refused", "ended", "stopped"];
  const counted = async () =>
    only(await samples(proxy), ...outcomes.map((one) => `drains_total{outcome="${one}"}`));
  assert.deepEqual(await counted(), [0, 0, 0, 0, 0, 0]);

  const began = performance.now();
  await ask("/v1/drain", {});
  await ask("/v1/drain", { owner: "you" });
  using held = await proxy.connect();
  await held.send("hi");
  await proxy.until(({ queued }) => queued === 1);
  const during = await samples(proxy);
  const names = ["open", "draining", "drained", "parked", "stopping"];
  const states = names.map((one) => `state{state="${one}"}`);
  assert.deepEqual(only(during, ...states, "queued_connections"), [0, 0, 1, 0, 0, 1]);
  const [lease = 0, hold = 0] = only(during, "lease_seconds", "longest_hold_seconds");
  assert.ok(lease > 3000 && lease <= 3600 && hold > 0, `${lease}, ${hold}`);
  assert.notEqual((await proxy.status()).heldSince, null);
  await ask("/v1/resume", {});
  assert.equal(await held.read(2), "hi");
  assert.deepEqual(await counted(), [1, 0, 0, 1, 0, 0]);

  await ask("/v1/drain", { timeout: "200ms" });
  assert.deepEqual(await counted(), [1, 1, 0, 1, 0, 0]);

  await using drain = proxy.startCtl(["drain"]);
  await proxy.logged("drain", 3);
  drain.kill("SIGKILL");
  await proxy.logged("resume", 3);
  assert.deepEqual(await counted(), [1, 1, 1, 1, 0, 0]);

  const forced = ask("/v1/drain", {});
  await proxy.logged("drain", 4);
  await ask("/v1/resume", { owner: "you", force: true });
  await forced;
  assert.deepEqual(await counted(), [1, 1, 1, 1, 1, 0]);

  const all = await samples(proxy);
  assert.deepEqual(only(all, "drain_seconds_count", "held_seconds_count"), [4, 1]);
  const elapsed = (performance.now() - began) / 1000;
  const [drainSeconds = 0, heldSeconds = 0] = only(all, "drain_seconds_sum", "held_seconds_sum");
  assert.ok(drainSeconds >= 0.2 && drainSeconds < elapsed, `${drainSeconds}`);
  assert.ok(heldSeconds > 0 && heldSeconds < elapsed, `${heldSeconds}`);
  assert.equal(all['held_seconds_bucket{le="+Inf"}'], 1);
});

Deno.test("how many connections may be active is known where it was said", async () => {
  await using service = await echo();
  await using proxy = await Proxy.start(service.address, { args: ["--max-connections", "7"] });
  assert.equal((await samples(proxy))["max_connections"], 7);
});

Deno.test("failed attempts to reach the upstream are counted", async () => {
  await using proxy = await Proxy.start(await unusedAddress(), {
    args: ["--connect-timeout", "200ms"],
  });
  using client = await proxy.connect();
  assert.equal(await client.ending, "reset");
  await proxy.logged("closed");
  const all = await samples(proxy);
  assert.ok((all["connect_failures_total"] ?? 0) >= 1);
  assert.equal(all['closed_total{reason="upstream_unreachable"}'], 1);
});

testWith(without("promtool"), "Prometheus finds nothing to say about the metrics", async () => {
  await using service = await echo();
  await using proxy = await Proxy.start(service.address);
  const { text } = await proxy.request("GET", "/metrics");
  const checker = new Deno.Command("promtool", {
    args: ["check", "metrics"],
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  await new Blob([text]).stream().pipeTo(checker.stdin);
  const { code, stdout, stderr } = await checker.output();
  const said = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes));
  assert.deepEqual([code, ...said], [0, "", ""]);
});
