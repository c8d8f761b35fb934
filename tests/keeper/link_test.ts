import assert from "node:assert/strict";
import { whyNoEpoll } from "../../lib/linux/available.ts";
import { TemporaryDirectory } from "../support/temporary.ts";
import { testWith } from "../support/tools.ts";

testWith(
  whyNoEpoll(),
  "a keeper that neither ends nor can be killed is an error, not a wait without an end",
  async () => {
    // Not before: what they are made of can only be loaded where it can run.
    const { Channel } = await import("../../lib/handover/channel.ts");
    const { KeeperLink } = await import("../../lib/keeper/link.ts");
    const { acceptAt, connectToPath, listenAtPath } = await import(
      "../../lib/linux/unix_socket.ts"
    );
    const { libc } = await import("../../lib/linux/libc.ts");
    /** The other side is this process. */
    class Unkillable extends Channel {
      isDead = false;

      override kill(): boolean {
        return false;
      }

      override outlivesWithin(timeout: number): Promise<boolean> {
        return this.isDead ? Promise.resolve(true) : super.outlivesWithin(timeout);
      }
    }
    await using temporary = await TemporaryDirectory.make();
    const listener = listenAtPath(`${temporary.path}/socket`);
    const keeper = new Channel(connectToPath(`${temporary.path}/socket`, 5000));
    const channel = new Unkillable(acceptAt(listener));
    libc.close(listener);
    const link = new KeeperLink(channel, Date.now(), 20);
    await assert.rejects(link.end(), /^Error: The keeper \(process \d+\) does not end and/);
    assert.equal(link.isGone, false);
    assert.deepEqual(keeper.receive(), { json: { type: "end" } });
    // One that has only hung up has the socket as well.
    keeper[Symbol.dispose]();
    await assert.rejects(link.end(), /does not end and could not be killed/);
    channel.isDead = true;
    await link.gone;
    await link.end();
  },
);
