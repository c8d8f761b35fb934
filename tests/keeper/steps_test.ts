/**
 * The steps of a handover to and from a keeper, each of which may be the last: the test itself is the
 * other process, and goes away.
 */

import assert from "node:assert/strict";
import { whyNoEpoll } from "../../lib/linux/available.ts";
import {
  type Kind,
  type Message,
  parseGiverMessage,
  PROTOCOL,
} from "../../lib/handover/messages.ts";
import { onlyForLong } from "../support/long.ts";
import { testWith } from "../support/tools.ts";
import { Stage } from "./stage.ts";

const no = whyNoEpoll();

/** How far the other process gets before it is gone. */
const STEPS = ["connect", "hello", "go", "state", "ready", "commit"] as const;

/** Takes everything, but only up to that step. */
async function takeUpTo(last: typeof STEPS[number], directory: string, kind: Kind): Promise<void> {
  // Not before: what they are made of can only be loaded where it can run.
  const { connectToPath } = await import("../../lib/linux/unix_socket.ts");
  const { Channel, PATIENCE } = await import("../../lib/handover/channel.ts");
  using channel = new Channel(connectToPath(`${directory}/handover.sock`, PATIENCE));
  const say = (message: Message) => channel.send(message);
  const hear = () => {
    const received = channel.receive();
    if (typeof received === "string") return received;
    return parseGiverMessage(received.json).type;
  };
  const steps: Record<typeof STEPS[number], () => void> = {
    connect() {},
    hello() {
      const until = kind === "keeper" ? Date.now() + 60_000 : null;
      say({ type: "hello", protocol: PROTOCOL, version: "test", kind, until });
      assert.equal(hear(), "offer");
    },
    go: () => say({ type: "go" }),
    state: () => assert.equal(hear(), "state"),
    ready: () => say({ type: "ready" }),
    commit: () => assert.equal(hear(), "commit"),
  };
  for (const step of STEPS) {
    steps[step]();
    if (step === last) break;
  }
}

testWith(
  onlyForLong ?? no,
  "a keeper gone after any step leaves the proxy drained, not parked",
  async () => {
    await using stage = await Stage.set();
    for (const step of STEPS) {
      await stage.drain();
      using client = await stage.client();
      await takeUpTo(step, stage.directory, "keeper");
      assert.equal((await stage.proxy.status()).state, "drained", step);
      await stage.park();
      await stage.resume(stage.proxy);
      assert.equal(await client.read(2), "hi", step);
    }
  },
);

testWith(no, "proxies gone after any step leave the keeper with everything", async () => {
  await using stage = await Stage.set();
  await stage.drain();
  using client = await stage.client();
  const { keeper } = await stage.park();
  await stage.stop();
  for (const step of STEPS) {
    await takeUpTo(step, stage.directory, "proxy");
    assert.equal((await stage.proxy.status()).pid, keeper, step);
  }
  const next = await stage.next();
  await stage.resume(next);
  assert.equal(await client.read(2), "hi");
});

testWith(no, "a keeper is given nothing by another keeper", async () => {
  await using stage = await Stage.set();
  await stage.drain();
  const { keeper } = await stage.park();
  await assert.rejects(takeUpTo("state", stage.directory, "keeper"), /abort/);
  assert.equal((await stage.proxy.status()).keeper, keeper);
  await stage.stop();
  await assert.rejects(takeUpTo("state", stage.directory, "keeper"), /abort/);
  assert.equal((await stage.proxy.status()).keeper, keeper);
});
