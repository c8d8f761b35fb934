import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { connectToPath, sendMessage } from "../../lib/linux/unix_socket.ts";
import { libc } from "../../lib/linux/libc.ts";
import { Service } from "../relay/peer.ts";
import { onlyForLong } from "../support/long.ts";
import { Proxy } from "../support/proxy.ts";
import { testWith } from "../support/tools.ts";
import { type Failing, FailingPeer } from "./peer.ts";
import { STEPS } from "./peer_process.ts";
import { Wire } from "./wire.ts";
import { whyNoTakeover } from "./why_not.ts";

/** A proxy with a live connection; once its ends talk there is always something in flight. */
async function scene() {
  const stack = new AsyncDisposableStack();
  const service = stack.use(await Service.start());
  const proxy = stack.use(await Proxy.start(service.address));
  const wire = stack.use(await Wire.through(proxy.address, service));
  return { service, proxy, wire, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}

/** Nothing has changed: the connection goes on, new ones are served. */
async function assertGoesOn({ service, proxy, wire }: Awaited<ReturnType<typeof scene>>) {
  const { heard } = wire.client;
  await wire.client.until(() => wire.client.heard > heard + 1_000_000, "more");
  await wire.settle();
  assert.equal(wire.fault, null);
  using another = await Wire.through(proxy.address, service, 1);
  another.client.say(10);
  await another.settle();
  assert.equal((await proxy.status()).pid, proxy.process.pid);
}

/** One receiver after the other fails, each a step later. */
async function assertGiverGoesOn(each: readonly number[], how: Failing): Promise<void> {
  await using stage = await scene();
  let failed = 0;
  for (const steps of each) {
    for (const end of stage.wire.ends) end.talk();
    await using peer = new FailingPeer("receiver", stage.proxy.directory, steps);
    await peer.fail(how);
    if (steps >= 2) {
      const { level, reason } = await stage.proxy.logged("handover_failed", ++failed);
      assert.equal(level, "WARN");
      assert.match(`${reason}`, how === "falls silent" ? /was killed/ : /went away|died before/);
    }
    await assertGoesOn(stage);
  }
}

const STEPS_BEFORE_ACK = STEPS.receiver.map((_, index) => index);

for (const how of ["dies", "hangs up"] as const) {
  testWith(
    (how === "dies" ? null : onlyForLong) ?? whyNoTakeover,
    `a receiver that ${how} before it has acknowledged changes nothing, at whatever step`,
    () => assertGiverGoesOn(STEPS_BEFORE_ACK, how),
  );
}

testWith(
  onlyForLong ?? whyNoTakeover,
  "a receiver that falls silent before it has acknowledged changes nothing, at whatever step",
  async () => {
    // The giver waits for some time for each, so they do it at the same time.
    await Promise.all(STEPS_BEFORE_ACK.map((step) => assertGiverGoesOn([step], "falls silent")));
  },
);

testWith(
  onlyForLong ?? whyNoTakeover,
  "one that has acknowledged has everything: with it, everything ends",
  async () => {
    await using stage = await scene();
    const { proxy, wire } = stage;
    for (const end of wire.ends) end.talk();
    await using peer = new FailingPeer("receiver", proxy.directory, STEPS.receiver.length);
    await peer.heard(/reached/, "stdout");
    const { code, stderr } = await proxy.process.finished();
    assert.equal(code, 0, stderr);
    const { heard } = wire.client;
    assert.equal(wire.isOver, false);
    peer.kill("SIGKILL");
    await wire.client.until(() => wire.isOver, "the end");
    assert.equal(wire.fault, null);
    assert.ok(wire.client.heard >= heard);
  },
);

testWith(
  whyNoTakeover,
  "garbage at the handover socket stops nothing, and keeps nobody away",
  async () => {
    await using stage = await scene();
    const { service, proxy, wire } = stage;
    for (const end of wire.ends) end.talk();
    const sockets = [];
    const hello = { type: "hello", protocol: 1, version: "x", kind: "proxy", until: null };
    const garbage = [
      new Uint8Array(),
      randomBytes(1000),
      "\0[]",
      "\0{}",
      '\0{"type":"go"}',
      `\0${JSON.stringify({ ...hello, protocol: 99 })}`,
      `\0${JSON.stringify({ ...hello, more: true })}`,
      // A message that never ends.
      "\x01x",
    ];
    for (const bytes of garbage) {
      const socket = connectToPath(`${proxy.directory}/handover.sock`, 5000);
      sockets.push(socket);
      const message = typeof bytes === "string" ? new TextEncoder().encode(bytes) : bytes;
      if (message.length > 0) sendMessage(socket, new Uint8Array(message), [0]);
    }
    await using next = await Proxy.start(service.address, {
      directory: proxy.directory,
      listen: `127.0.0.1:${proxy.address.port}`,
      args: ["--takeover=always"],
    });
    const { code, stderr } = await proxy.process.finished();
    assert.equal(code, 0, stderr);
    for (const socket of sockets) libc.close(socket);
    await wire.settle();
    assert.equal(wire.fault, null);
    assert.equal((await next.status()).active, 1);
  },
);
