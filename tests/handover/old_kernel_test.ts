import assert from "node:assert/strict";
import { Stage } from "../keeper/stage.ts";
import { testWith } from "../support/tools.ts";
import { whyNoTakeover } from "./why_not.ts";
import { onlyForLong } from "../support/long.ts";

const script = new URL("../support/without_syscalls.ts", import.meta.url).pathname;
const through = [Deno.execPath(), "run", "--quiet", "--allow-ffi", script];

testWith(
  onlyForLong ?? whyNoTakeover,
  "without socket cookies, and told no length of a queue, a proxy serves, holds, is parked and upgraded",
  async () => {
    await using stage = await Stage.set({ through });
    const { proxy } = stage;
    using client = await proxy.served();
    client.finish();
    await client.rest();
    await stage.drain();
    using held = await stage.client();
    await stage.park();
    await stage.stop();
    const next = await stage.next({ through });
    await stage.resume(next);
    assert.equal(await held.read(2), "hi");
    assert.deepEqual(proxy.log("queue_filling"), []);
    assert.deepEqual(next.log("queue_filling"), []);
  },
);
