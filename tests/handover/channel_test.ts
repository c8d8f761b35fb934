import assert from "node:assert/strict";
import { testWith } from "../support/tools.ts";
import { TemporaryDirectory } from "../support/temporary.ts";
import { whyNoTakeover } from "./why_not.ts";

/** Both ends of a channel, in this process. */
async function channel() {
  const { Channel, PATIENCE } = await import("../../lib/handover/channel.ts");
  const { acceptAt, connectToPath, listenAtPath } = await import("../../lib/linux/unix_socket.ts");
  const { libc } = await import("../../lib/linux/libc.ts");
  await using temporary = await TemporaryDirectory.make();
  const listener = listenAtPath(`${temporary.path}/socket`);
  const near = new Channel(connectToPath(`${temporary.path}/socket`, PATIENCE));
  const far = new Channel(acceptAt(listener));
  libc.close(listener);
  return { near, far, close: (descriptor: number) => libc.close(descriptor) };
}

testWith(
  whyNoTakeover,
  "a message longer than one that can be sent arrives whole, descriptors too",
  async () => {
    const { near, far, close } = await channel();
    const reason = "é".repeat(70_000);
    assert.equal(near.send({ type: "abort", reason }, [0, 1]), "sent");
    assert.equal(near.send({ type: "go" }), "sent");
    const received = far.receiveWithDescriptors();
    assert.ok(typeof received === "object");
    assert.deepEqual(received.json, { type: "abort", reason });
    assert.equal(received.descriptors.length, 2);
    for (const descriptor of received.descriptors) close(descriptor);
    assert.deepEqual(far.receive(), { json: { type: "go" } });
    near[Symbol.dispose]();
    assert.equal(far.receive(), "gone");
    assert.equal(far.send({ type: "go" }), "gone");
    far[Symbol.dispose]();
  },
);

testWith(
  whyNoTakeover,
  "what the other side said before it went is heard, though it had not heard all",
  async () => {
    const { near, far } = await channel();
    assert.equal(far.send({ type: "commit" }), "sent");
    assert.equal(near.send({ type: "ack" }), "sent");
    near[Symbol.dispose]();
    // The system tells of the loss first.
    assert.deepEqual(far.receive(), { json: { type: "ack" } });
    assert.equal(far.receive(), "gone");
    far[Symbol.dispose]();
  },
);
