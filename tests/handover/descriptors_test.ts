import assert from "node:assert/strict";
import { connect, type Socket } from "node:net";
import { formatAddress } from "../../lib/address.ts";
import { limited } from "../linux/limited.ts";
import { echo, type Peer } from "../relay/peer.ts";
import { brieflyOr, onlyForLong } from "../support/long.ts";
import { start } from "../support/programs.ts";
import { Proxy } from "../support/proxy.ts";
import { TemporaryDirectory } from "../support/temporary.ts";
import { testWith } from "../support/tools.ts";
import { whyNoTakeover } from "./why_not.ts";

const CLIENTS = 40;
/** From far too few descriptors for a successor to enough. */
const LIMITS = { from: 60, to: 260, step: brieflyOr(100, 20) };

testWith(
  onlyForLong ?? whyNoTakeover,
  "a successor with however few descriptors takes over everything, or leaves everything as it was",
  async () => {
    await using temporary = await TemporaryDirectory.make();
    const directory = `${temporary.path}/proxy`;
    await using service = await echo();
    await using all = new AsyncDisposableStack();
    let current = all.use(await Proxy.start(service.address, { directory }));
    const { address } = current;
    const clients: Peer[] = [];
    while (clients.length < CLIENTS) clients.push(all.use(await current.served()));
    const outcomes = new Set<boolean>();
    for (let limit = LIMITS.from; limit <= LIMITS.to; limit += LIMITS.step) {
      const through = limited(limit);
      const args = ["--threads=2", "--takeover=always"];
      const options = { directory, listen: formatAddress(address), through, args };
      const next = await Proxy.start(service.address, options).catch((error: Error) => error);
      outcomes.add(next instanceof Proxy);
      if (next instanceof Proxy) current = all.use(next);
      else assert.doesNotMatch(next.message, /^ {4}at /m, `limit ${limit}: a stack trace`);
      for (const client of clients) {
        await client.send("yo");
        assert.equal(await client.read(2), "yo", `limit ${limit}`);
      }
    }
    assert.deepEqual([...outcomes].sort(), [false, true]);
    // Whoever failed has not left a mark on the sockets: they end in peace.
    for (const client of clients) client.finish();
    for (const client of clients) assert.equal(await client.rest(), "");
  },
);

testWith(
  whyNoTakeover,
  "a crowd at the control and handover sockets keeps neither clients nor a successor away",
  async () => {
    await using service = await echo();
    await using proxy = await Proxy.start(service.address, { through: limited(200) });
    using client = await proxy.served();
    const crowd: Socket[] = [];
    const come = (socket: string, count: number) => {
      for (let index = 0; index < count; index++) {
        const one = connect(`${proxy.directory}/${socket}`);
        one.on("error", () => {});
        crowd.push(one);
      }
    };
    // More than there are descriptors for; and as many as are heard at the same time, but for one.
    come("control.sock", 250);
    come("handover.sock", 7);
    const listen = formatAddress(proxy.address);
    const args = [listen, formatAddress(service.address), "--runtime-dir", proxy.directory];
    await using successor = start("proxy", [...args, "--takeover=always"]);
    using another = await proxy.served();
    await successor.heard(/Listening/);
    for (const peer of [client, another]) {
      await peer.send("yo");
      assert.equal(await peer.read(2), "yo");
    }
    assert.equal((await proxy.process.finished()).code, 0);
    assert.equal((await proxy.status()).pid, successor.pid);
    for (const socket of crowd) socket.destroy();
  },
);
