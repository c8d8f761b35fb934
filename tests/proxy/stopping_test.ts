import assert from "node:assert/strict";
import { echo } from "../relay/peer.ts";
import { Proxy } from "../support/proxy.ts";
import { onlyForLong } from "../support/long.ts";
import { testWith } from "../support/tools.ts";

/** A proxy that waits for whoever is active, however long that takes: "at once" needs no clock. */
const FOR_EVER = { args: ["--stop-timeout", "none"] };

async function stop(proxy: Proxy, signal: Deno.Signal = "SIGTERM"): Promise<void> {
  proxy.process.kill(signal);
  assert.deepEqual(await ended(proxy), { code: 0, signal: null });
}

async function ended(proxy: Proxy) {
  const { code, signal } = await proxy.process.finished();
  return { code, signal };
}

for (const signal of ["SIGTERM", "SIGINT", "SIGQUIT"] as const) {
  Deno.test(`${signal} ends it at once when nothing is active, and the control socket is gone`, async () => {
    await using service = await echo();
    await using proxy = await Proxy.start(service.address, FOR_EVER);
    await stop(proxy, signal);
    assert.deepEqual([...Deno.readDirSync(proxy.directory)].map(({ name }) => name), ["lock"]);
    assert.equal(proxy.log("stopped").length, 1);
  });
}

testWith(
  onlyForLong,
  "who asks for nothing on the control socket does not hold up the end",
  async () => {
    await using service = await echo();
    await using proxy = await Proxy.start(service.address, FOR_EVER);
    using _silent = await Deno.connect({ transport: "unix", path: proxy.controlSocket });
    using half = await Deno.connect({ transport: "unix", path: proxy.controlSocket });
    await half.write(new TextEncoder().encode("GET /v1/status HTTP/1.1\r\n"));
    await proxy.status();
    await stop(proxy);
  },
);

Deno.test("stopping while open, active clients may finish and no new one is let in", async () => {
  await using service = await echo();
  await using proxy = await Proxy.start(service.address);
  using active = await proxy.served();
  proxy.process.kill("SIGTERM");
  await proxy.logged("stop");
  assert.equal((await proxy.status()).state, "stopping");
  await active.send("more");
  assert.equal(await active.read(4), "more");
  const refused = async () => {
    try {
      (await Deno.connect({ hostname: "127.0.0.1", port: proxy.address.port })).close();
      return false;
    } catch (error) {
      return error instanceof Deno.errors.ConnectionRefused;
    }
  };
  while (!await refused());
  active.finish();
  assert.equal(await active.rest(), "");
  assert.deepEqual(await ended(proxy), { code: 0, signal: null });
  assert.equal(proxy.log("cut").length, 0);
});

Deno.test("stopping while open, those who are queued are served first", async () => {
  await using service = await echo();
  await using proxy = await Proxy.start(service.address);
  // While it does not run, the kernel queues for it.
  proxy.process.kill("SIGSTOP");
  using queued = await proxy.connect();
  await queued.send("hi");
  proxy.process.kill("SIGTERM");
  proxy.process.kill("SIGCONT");
  assert.equal(await queued.read(2), "hi");
  queued.finish();
  assert.equal(await queued.rest(), "");
  assert.deepEqual(await ended(proxy), { code: 0, signal: null });
});

testWith(
  onlyForLong,
  "stopping while open, those for whom there was no room are served as well",
  async () => {
    await using service = await echo();
    await using proxy = await Proxy.start(service.address, { args: ["--max-connections", "1"] });
    using active = await proxy.served();
    using waiting = await proxy.connect();
    await waiting.send("hi");
    await proxy.until((now) => now.queued === 1);
    proxy.process.kill("SIGTERM");
    await proxy.logged("stop");
    active.finish();
    assert.equal(await waiting.read(2), "hi");
    waiting.finish();
    assert.equal(await waiting.rest(), "");
    assert.deepEqual(await ended(proxy), { code: 0, signal: null });
  },
);

Deno.test("after the stop timeout what is left is cut by a reset, and the log counts it", async () => {
  await using service = await echo();
  await using proxy = await Proxy.start(service.address, { args: ["--stop-timeout", "200ms"] });
  using first = await proxy.served();
  using second = await proxy.served();
  await stop(proxy);
  assert.deepEqual([await first.ending, await second.ending], ["reset", "reset"]);
  const [[stopping], [cut]] = [proxy.log("stop"), proxy.log("cut")];
  const took = Date.parse(`${cut?.["@timestamp"]}`) - Date.parse(`${stopping?.["@timestamp"]}`);
  // Its clock is asked twice, and the times are rounded.
  assert.ok(took >= 198, `${took} ms`);
  assert.deepEqual([cut?.["cut"], cut?.["message"]], [2, "2 connections were cut"]);
});

Deno.test("a second signal cuts at once", async () => {
  await using service = await echo();
  await using proxy = await Proxy.start(service.address, FOR_EVER);
  using active = await proxy.served();
  proxy.process.kill("SIGTERM");
  await proxy.logged("stop");
  await new Promise((resolve) => setTimeout(resolve, 100));
  await active.send("still");
  assert.equal(await active.read(5), "still");
  await stop(proxy);
  assert.equal(await active.ending, "reset");
});

Deno.test("stopping while drained, who is queued is reset and counted, and the record stays", async () => {
  await using service = await echo();
  await using proxy = await Proxy.start(service.address, FOR_EVER);
  await proxy.drain();
  using first = await proxy.connect();
  using second = await proxy.connect();
  await proxy.until((now) => now.queued === 2);
  await stop(proxy);
  assert.deepEqual([await first.ending, await second.ending], ["reset", "reset"]);
  const [line] = proxy.log("queue_reset");
  assert.deepEqual([line?.["reset"], line?.["level"]], [2, "WARN"]);
  assert.equal(
    JSON.parse(await Deno.readTextFile(`${proxy.directory}/drain.json`)).state,
    "drained",
  );
});

Deno.test("a proxy that ends does not remove the control socket of its successor", async () => {
  await using service = await echo();
  await using proxy = await Proxy.start(service.address);
  // What a successor does: another socket under the same name.
  const successor = Deno.listen({ transport: "unix", path: `${proxy.directory}/successor` });
  await Deno.rename(`${proxy.directory}/successor`, proxy.controlSocket);
  await stop(proxy);
  assert.ok((await Deno.lstat(proxy.controlSocket)).isSocket);
  successor.close();
});

Deno.test("while it stops, nothing is written to who connects to the control socket", async () => {
  await using service = await echo();
  await using proxy = await Proxy.start(service.address);
  using active = await proxy.served();
  proxy.process.kill("SIGTERM");
  await proxy.logged("stop");
  // They get the numbers of descriptors that it has closed.
  const connections = await Promise.all(Array.from({ length: 20 }, async () => {
    return await Deno.connect({ transport: "unix", path: proxy.controlSocket });
  }));
  active.finish();
  await ended(proxy);
  for (const connection of connections) {
    assert.equal(await connection.read(new Uint8Array(8)).catch(() => null), null);
    connection.close();
  }
});
