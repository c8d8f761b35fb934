import assert from "node:assert/strict";
import { whyNoEpoll } from "../../lib/linux/available.ts";
import { onlyForLong } from "../support/long.ts";
import { until } from "../support/until.ts";
import { testWith } from "../support/tools.ts";
import { ended, isKeeper, Stage } from "./stage.ts";

const no = whyNoEpoll();

testWith(
  onlyForLong ?? no,
  "a keeper killed while the proxy lives leaves that drained, with its queue",
  async () => {
    await using stage = await Stage.set();
    await stage.drain();
    const parked = await stage.park();
    using client = await stage.client();
    Deno.kill(parked.keeper, "SIGKILL");
    await stage.proxy.until(({ state, queued }) => state === "drained" && queued === 1);
    await stage.resume(stage.proxy);
    assert.equal(await client.read(2), "hi");
  },
);

testWith(
  onlyForLong ?? no,
  "a keeper that does not answer is killed by a resume, which serves those who wait",
  async () => {
    await using stage = await Stage.set();
    await stage.drain();
    const parked = await stage.park();
    using client = await stage.client();
    Deno.kill(parked.keeper, "SIGSTOP");
    await stage.resume(stage.proxy);
    assert.equal(await client.read(2), "hi");
    await ended(parked, stage);
  },
);

testWith(
  no,
  "a proxy killed while parked is stood in for, and the next one serves the queue",
  async () => {
    await using stage = await Stage.set();
    await stage.drain();
    const { keeper } = await stage.park();
    using client = await stage.client();
    await stage.proxy.crash();
    await until(
      () => stage.proxy.status().catch(() => null),
      (status) => status?.pid === keeper,
    );
    const next = await stage.next();
    await stage.resume(next);
    assert.equal(await client.read(2), "hi");
  },
);

testWith(
  onlyForLong ?? no,
  "a proxy that starts in the moment in which the parked one was killed finds the keeper",
  async () => {
    await using stage = await Stage.set();
    await stage.drain();
    const { keeper } = await stage.park();
    using client = await stage.client();
    // So that the moment is a long one.
    Deno.kill(keeper, "SIGSTOP");
    await stage.proxy.crash();
    const starting = stage.next();
    Deno.kill(keeper, "SIGCONT");
    const next = await starting;
    await stage.resume(next);
    assert.equal(await client.read(2), "hi");
  },
);

testWith(
  onlyForLong ?? no,
  "a proxy stopped while its keeper does not answer leaves it everything all the same",
  async () => {
    await using stage = await Stage.set();
    await stage.drain();
    const { keeper } = await stage.park();
    using client = await stage.client();
    Deno.kill(keeper, "SIGSTOP");
    await stage.stop();
    Deno.kill(keeper, "SIGCONT");
    const next = await stage.next();
    await stage.resume(next);
    assert.equal(await client.read(2), "hi");
  },
);

testWith(
  onlyForLong ?? no,
  "a keeper killed when it is alone ends everything, and the next proxy starts drained",
  async () => {
    await using stage = await Stage.set();
    await stage.drain();
    const { keeper } = await stage.park();
    await stage.stop();
    using client = await stage.client();
    Deno.kill(keeper, "SIGKILL");
    assert.equal(await client.ending, "reset");
    assert.equal((await stage.proxy.ctl(["status"])).code, 3);
    const next = await stage.next();
    assert.equal((await next.status()).state, "drained");
  },
);

testWith(no, "a keeper that is asked to end does so, and cleans up", async () => {
  await using stage = await Stage.set();
  await stage.drain();
  const parked = await stage.park();
  await stage.stop();
  Deno.kill(parked.keeper, "SIGTERM");
  await ended(parked, stage);
  assert.match(await stage.log(), /stopped\n$/);
  assert.equal((await stage.proxy.ctl(["status"])).code, 3);
});

for (let delay = 0; delay <= 500; delay += 100) {
  testWith(
    onlyForLong ?? no,
    `proxyctl park killed after ${delay} ms leaves the proxy drained, or parked`,
    async () => {
      await using stage = await Stage.set();
      await stage.drain();
      using client = await stage.client();
      await using ctl = stage.proxy.startCtl(["park", "--for", "2s"]);
      await new Promise((resolve) => setTimeout(resolve, delay));
      ctl.kill("SIGKILL");
      await ctl.finished();
      // A keeper goes on, and gives up after its time.
      const { state } = await stage.proxy.status();
      assert.ok(state === "drained" || state === "parked", state);
      await stage.resume(stage.proxy);
      assert.equal(await client.read(2), "hi");
      await stage.proxy.until(({ keeper }) =>
        keeper === null || !isKeeper(keeper, stage.directory)
      );
      assert.equal((await stage.proxy.status()).state, "open");
    },
  );
}
