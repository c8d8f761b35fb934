import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { limited } from "../../linux/limited.ts";
import { brieflyOr } from "../../support/long.ts";
import { Checksum } from "../checksum.ts";
import { LINUX } from "../machine.ts";
import { Peer, Service } from "../peer.ts";
import { RelayInProcess } from "../relay_in_process.ts";
import { KINDS } from "./kinds.ts";

const NOISE = randomBytes(1 << 20);

/** Of how many pieces of noise a stream is, and how many streams there are each way. */
const PIECES = brieflyOr(8, 48);
const STREAMS = 4;

/** More clients than there are descriptors for. */
const CROWD = 400;

for (const kind of KINDS) {
  Deno.test({
    name: `${kind}: bulk goes on unharmed while there are no descriptors left`,
    ignore: !LINUX,
    fn: async () => {
      await using service = await Service.start();
      await using relay = await RelayInProcess.start(kind, service.address, limited(300));
      const streams: { from: Peer; to: Peer }[] = [];
      for (let count = 0; count < 2 * STREAMS; count++) {
        const client = await Peer.connect(relay.listen);
        const server = await service.next();
        streams.push(
          count % 2 === 0 ? { from: client, to: server } : { from: server, to: client },
        );
      }
      const crowd: Peer[] = [];
      const checksums = streams.map(({ from }) => stream(from));
      // They come while bytes are on their way, and stay: the relay runs out.
      while (crowd.length < CROWD) crowd.push(await Peer.connect(relay.listen));
      const expected = await Promise.all(checksums);
      for (const [index, { to }] of streams.entries()) {
        assert.equal(await to.ending, "end");
        assert.equal(to.received, PIECES * NOISE.length);
        assert.equal(to.checksum, expected[index]);
        to.finish();
      }
      const { full, active, broken } = await relay.ask();
      assert(full > 0, "it never was full");
      assert(active < CROWD);
      assert.equal(broken, null);
      // Those who still wait are served when others have gone.
      for (const client of crowd.slice(0, -1)) client.reset();
      const last = crowd.at(-1) as Peer;
      await last.send("hello");
      for (let first = ""; first !== "hello";) {
        const server = await service.next();
        first = await Promise.race([server.read(5).catch(() => "closed"), server.ending]);
      }
      last[Symbol.dispose]();
      assert.equal(relay.complaints, "");
    },
  });
}

/** Sends noise, then ends. @returns its checksum */
async function stream(peer: Peer): Promise<number> {
  const checksum = new Checksum();
  for (let piece = 0; piece < PIECES; piece++) {
    const noise = NOISE.subarray(piece);
    checksum.update(noise);
    checksum.update(NOISE.subarray(0, piece));
    await peer.send(noise);
    await peer.send(NOISE.subarray(0, piece));
  }
  peer.finish();
  return checksum.value;
}
