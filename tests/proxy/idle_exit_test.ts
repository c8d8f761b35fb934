import assert from "node:assert/strict";
import { IdleExit, type IdleProxy } from "../../lib/proxy/idle_exit.ts";
import { echo, type Peer } from "../relay/peer.ts";
import { FakeTimers } from "../support/fake_timers.ts";
import { Proxy } from "../support/proxy.ts";
import { onlyForLong } from "../support/long.ts";
import { testWith } from "../support/tools.ts";

/** The idle time of the proxies here, in milliseconds. */
const TIME = 400;

/** A proxy that ends when nobody was there for so long. */
function start(service: Awaited<ReturnType<typeof echo>>, ...args: string[]): Promise<Proxy> {
  return Proxy.start(service.address, { args: ["--exit-idle-time", `${TIME}ms`, ...args] });
}

/** One with a client that was served: without that one it would end before, on a busy machine. */
async function startServing(service: Awaited<ReturnType<typeof echo>>): Promise<[Proxy, Peer]> {
  const proxy = await start(service, "--start-drained");
  const client = await proxy.connect();
  await client.send("hi");
  await proxy.until(({ queued }) => queued === 1);
  await proxy.request("POST", "/v1/resume", { owner: "me" });
  assert.equal(await client.read(2), "hi");
  return [proxy, client];
}

/** Waits for its end. @returns when that was */
async function ended(proxy: Proxy): Promise<number> {
  const { code, signal } = await proxy.process.finished();
  assert.deepEqual({ code, signal }, { code: 0, signal: null });
  // What became of earlier drains stays as well.
  const left = [...Deno.readDirSync(proxy.directory)].map(({ name }) => name);
  assert.deepEqual(left.filter((name) => name !== "history.jsonl"), ["lock"]);
  assert.equal(proxy.log().at(-1)?.["event"], "idle_exit");
  return performance.now();
}

/** More than the idle time, and than what is rounded. */
const longer = () => new Promise((resolve) => setTimeout(resolve, 2 * TIME));

for (const time of ["0s", "1ms", `${TIME}ms`]) {
  Deno.test(`--exit-idle-time ${time}: a proxy to which nobody comes ends by itself`, async () => {
    await using service = await echo();
    await using proxy = await Proxy.start(service.address, { args: ["--exit-idle-time", time] });
    await ended(proxy);
  });
}

Deno.test("with --exit-idle-time it ends that long after the last connection, and not before", async () => {
  await using service = await echo();
  const [started, client] = await startServing(service);
  await using proxy = started;
  using _client = client;
  await longer();
  await client.send("still");
  assert.equal(await client.read(5), "still");
  const before = performance.now();
  client.finish();
  assert.equal(await client.rest(), "");
  const took = await ended(proxy) - before;
  assert.ok(took >= TIME, `${took} ms`);
});

Deno.test("a drained proxy does not end for being idle, and the time counts anew from its resume", async () => {
  await using service = await echo();
  await using proxy = await start(service, "--start-drained");
  await longer();
  using held = await proxy.connect();
  await held.send("hi");
  await proxy.until(({ queued }) => queued === 1);
  await longer();
  await proxy.request("POST", "/v1/resume", { owner: "me" });
  assert.equal(await held.read(2), "hi");
  await proxy.request("POST", "/v1/drain", { owner: "me", wait: false, closeIdle: "1ms" });
  assert.equal(await held.ending, "reset");
  await proxy.logged("drained");
  await longer();
  const before = performance.now();
  await proxy.request("POST", "/v1/resume", { owner: "me" });
  const took = await ended(proxy) - before;
  assert.ok(took >= TIME, `${took} ms`);
});

testWith(onlyForLong, "a signal ends a proxy with --exit-idle-time as any other", async () => {
  await using service = await echo();
  const [started, client] = await startServing(service);
  await using proxy = started;
  using _client = client;
  proxy.process.kill("SIGTERM");
  await proxy.logged("stop");
  await longer();
  client.finish();
  assert.equal(await client.rest(), "");
  assert.equal((await proxy.process.finished()).code, 0);
  assert.equal(proxy.log().at(-1)?.["event"], "stopped");
});

Deno.test(
  "it is looked again only when the time could be over, and whoever came meanwhile stays",
  async () => {
    using timers = new FakeTimers();
    let now = 0;
    let looks = 0;
    let idleSince: number | null = null;
    let queued = 0;
    let suspended = 0;
    let isShutDown = false;
    const proxy: IdleProxy = {
      clock: { now: () => now, wall: () => now, after: () => () => {} },
      relay: {
        active: 0,
        get queued() {
          return queued;
        },
        get suspended() {
          return suspended;
        },
        get idleFor() {
          return idleSince === null ? 0 : now - idleSince;
        },
        shutDown() {
          isShutDown = true;
          return Promise.resolve();
        },
      },
      drain: {
        get status() {
          looks++;
          return { state: "open" as const } as IdleProxy["drain"]["status"];
        },
        stopIfUnused: (end) => Promise.resolve(end()),
      },
      log: { info() {} },
    };
    const pass = async (milliseconds: number) => {
      for (const end = now + milliseconds; now < end; now++) {
        timers.pass(1);
        await Promise.resolve();
      }
    };
    const exit = new IdleExit(10_000, proxy);
    exit.opened();
    await pass(60_000);
    assert.ok(looks >= 4 && looks <= 6, `${looks} looks`);
    idleSince = now;
    queued = 1;
    await pass(10_500);
    assert.equal(isShutDown, false, "somebody waits");
    queued = 0;
    suspended = 1;
    looks = 0;
    await pass(20_000);
    assert.equal(isShutDown, false, "somebody may go on");
    assert.ok(looks <= 3, `${looks} looks while somebody is suspended`);
    suspended = 0;
    await pass(10_500);
    assert.equal(isShutDown, true);
    await exit.over;
    assert.equal(await exit.stop(), true);
  },
);
