import assert from "node:assert/strict";
import { Running } from "../../support/programs.ts";
import { testWith, whyNotTraced } from "../../support/tools.ts";
import { Peer, Service } from "../peer.ts";
import { RelayInProcess } from "../relay_in_process.ts";

testWith(
  whyNotTraced(),
  "epoll: a socket for which the system refuses every option is served all the same",
  async () => {
    await using service = await Service.start();
    await using relay = await RelayInProcess.start("epoll", service.address);
    const refuse = ["--trace=setsockopt", "--inject=setsockopt:error=EPERM", "--output=/dev/null"];
    await using strace = new Running([
      "strace",
      "--follow-forks",
      ...refuse,
      `--attach=${relay.pid}`,
    ]);
    await strace.heard(/attached/);
    using client = await Peer.connect(relay.listen);
    const server = await service.next();
    for (const piece of ["one ", "two ", "three"]) {
      await client.send(piece);
      assert.equal(await server.read(piece.length), piece);
    }
    client.finish();
    server.finish();
    assert.equal(await client.ending, "end");
    assert.equal((await relay.ask()).broken, null);
  },
);
