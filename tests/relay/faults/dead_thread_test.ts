import assert from "node:assert/strict";
import { formatAddress, parseAddress } from "../../../lib/address.ts";
import { Running } from "../../support/programs.ts";
import { Peer, Service } from "../peer.ts";
import { EPOLL_KINDS } from "./kinds.ts";

const script = new URL("dying_process.ts", import.meta.url).pathname;

for (const kind of EPOLL_KINDS) {
  for (const state of ["open", "holding"]) {
    Deno.test(`${kind}: when a thread dies while it is ${state}, all are reset, later clients refused, and it is told`, async () => {
      await using service = await Service.start();
      const command = [Deno.execPath(), "run", "--quiet", "--allow-all", script];
      await using program = new Running([...command, kind, formatAddress(service.address), state]);
      const [, at = ""] = await program.heard(/^(.*)\n/, "stdout");
      const address = parseAddress(at);
      const pairs: { client: Peer; server: Peer }[] = [];
      // Enough for every thread to have some.
      while (pairs.length < 20) {
        pairs.push({ client: await Peer.connect(address), server: await service.next() });
      }
      const { client, server } = pairs[0] as { client: Peer; server: Peer };
      client.finish();
      assert.equal(await server.ending, "end");
      await program.write("get ready\n");
      await program.heard(/^ready\n/m, "stdout");
      const queued = state === "holding" ? [await Peer.connect(address)] : [];
      await program.write("die\n");
      const [, message] = await program.heard(/^broken (.*)\n/m, "stdout");
      assert.match(message ?? "", /a thread died: .*epoll_(wait|ctl): Invalid argument/);
      const endings = pairs.slice(1).flatMap((
        { client, server },
      ) => [client.ending, server.ending]);
      assert.deepEqual(
        new Set(await Promise.all([...endings, client.ending, ...queued.map((one) => one.ending)])),
        new Set(["reset"]),
      );
      await assert.rejects(Peer.connect(address), { code: "ECONNREFUSED" });
      await program.closeStdin();
      const { stdout } = await program.finished();
      assert.match(stdout, /\nactive 0, broken 1 times\n$/);
      for (const { client } of pairs) client[Symbol.dispose]();
    });
  }
}
