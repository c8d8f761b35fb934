import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { crc32 } from "node:zlib";
import { isLong } from "../../support/long.ts";
import { LINUX } from "../machine.ts";
import { Peer, Service } from "../peer.ts";
import { RelayInProcess } from "../relay_in_process.ts";
import { steady } from "../waiting.ts";
import { KINDS, WAYS } from "./kinds.ts";

/** More connections than a thread of the epoll relay has pipes. */
const MANY = 80;

/** More than everything on the way can keep of one connection. */
const NOISE = randomBytes(8 << 20);
const CHECKSUM = crc32(NOISE);

/** How much the memory of a relay may grow, in MiB: much less than what it is sent. */
const GROWTH = 96;

for (const kind of isLong ? KINDS : WAYS) {
  Deno.test({
    name:
      `${kind}: of what is sent to a service that does not read little is kept, and nothing lost`,
    ignore: !LINUX,
    fn: async () => {
      await using service = await Service.start();
      await using relay = await RelayInProcess.start(kind, service.address);
      const before = relay.memory;
      const clients: Peer[] = [];
      const servers: Peer[] = [];
      const sent: Promise<void>[] = [];
      while (clients.length < MANY) {
        const client = await Peer.connect(relay.listen);
        const server = await service.next();
        // A word first: the portable relay cannot do without.
        await server.send("go");
        await client.read(2);
        server.socket.pause();
        sent.push(client.send(NOISE));
        client.finish();
        clients.push(client);
        servers.push(server);
      }
      let bytes = 0;
      await steady(() => {
        void relay.ask().then((numbers) => bytes = numbers.bytesUp);
        return bytes;
      }, 300);
      assert(bytes < MANY * NOISE.length, `${bytes} bytes were taken`);
      const growth = relay.memory - before;
      assert(growth < GROWTH, `${growth} MiB for ${bytes >> 20} MiB that were taken`);
      // Others go on, though there may be no pipe for them.
      using other = await Peer.connect(relay.listen);
      const otherServer = await service.next();
      const all = other.send(NOISE);
      other.finish();
      assert.equal(await otherServer.ending, "end");
      assert.equal(otherServer.checksum, CHECKSUM);
      await all;
      otherServer.finish();
      for (const server of servers) {
        server.socket.resume();
        assert.equal(await server.ending, "end");
        assert.equal(server.checksum, CHECKSUM);
        server.finish();
      }
      await Promise.all(sent);
      for (const client of clients) assert.equal(await client.ending, "end");
      const { active, closed } = await relay.ask();
      assert(active <= 1);
      assert(closed.finished >= MANY);
      for (const client of clients) client[Symbol.dispose]();
    },
  });
}
