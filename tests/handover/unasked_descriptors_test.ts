import assert from "node:assert/strict";
import { whyNoEpoll } from "../../lib/linux/available.ts";
import { Stage } from "../keeper/stage.ts";
import { testWith } from "../support/tools.ts";

/** How many descriptors come with each message: nearly as many as can. */
const DESCRIPTORS = 250;

const HELLO = { type: "hello", protocol: 1, version: "x", kind: "proxy", until: null };
/** What is said, one after the other; what was wrong is answered, or hung up upon. */
const CONVERSATIONS = [
  [""],
  ["\0[]"],
  // It says that more is to come.
  ["\x01x"],
  [HELLO, "", "\0{}"],
  [HELLO, { type: "go" }, { type: "abort", reason: "a test" }],
];

/** Says all of that, with descriptors, and waits until the other side has hung up. */
async function sayAll(directory: string): Promise<void> {
  // Not before: what they are made of can only be loaded where it can run.
  const { Channel } = await import("../../lib/handover/channel.ts");
  const { connectToPath, sendMessage } = await import("../../lib/linux/unix_socket.ts");
  for (const conversation of CONVERSATIONS) {
    const socket = connectToPath(`${directory}/handover.sock`, 5000);
    using channel = new Channel(socket);
    for (const said of conversation) {
      const text = typeof said === "string" ? said : `\0${JSON.stringify(said)}`;
      try {
        sendMessage(socket, new TextEncoder().encode(text), Array(DESCRIPTORS).fill(0));
      } catch { /* it has hung up */ }
      if (text !== "" && channel.receive() === "gone") break;
    }
    while (typeof channel.receive() === "object");
  }
}

function descriptorsOf(pid: number): number {
  return [...Deno.readDirSync(`/proc/${pid}/fd`)].length;
}

testWith(
  whyNoEpoll(),
  "descriptors that a proxy or a keeper did not ask for are closed, whatever they come with",
  async () => {
    await using stage = await Stage.set();
    for (const who of ["proxy", "keeper"]) {
      let { pid } = stage.proxy.process;
      if (who === "keeper") {
        await stage.drain();
        ({ keeper: pid } = await stage.park());
        await stage.stop();
      }
      // What it opens once and for all is there then.
      await sayAll(stage.directory);
      const before = descriptorsOf(pid);
      await sayAll(stage.directory);
      assert.ok(descriptorsOf(pid) < before + DESCRIPTORS / 2, who);
      assert.equal((await stage.proxy.status()).pid, pid);
    }
  },
);
