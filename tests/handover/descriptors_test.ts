import assert from "node:assert/strict";
import { connect, type Socket } from "node:net";
import { formatAddress } from "../../lib/address.ts";
import { limited } from "../linux/limited.ts";
import { echo, type Peer } from "../relay/peer.ts";
import { start } from "../support/programs.ts";
import { Proxy } from "../support/proxy.ts";
import { TemporaryDirectory } from "../support/temporary.ts";
import { testWith } from "../support/tools.ts";
import { until } from "../support/until.ts";
import { whyNoTakeover } from "./why_not.ts";

const CLIENTS = 40;
/** From far too few descriptors for a successor to enough. */
const LIMITS = { from: 60, to: 260, step: 20 };

testWith(
  whyNoTakeover,
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
      const options = { directory, listen: formatAddress(address), through, args: ["--threads=2"] };
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
  "a crowd at the control and handover sockets takes all descriptors, and the proxy lives",
  async () => {
    await using service = await echo();
    await using proxy = await Proxy.start(service.address, { through: limited(200) });
    using client = await proxy.served();
    const crowd: Socket[] = [];
    for (let count = 0; count < 250; count++) {
      const socket = connect(`${proxy.directory}/control.sock`);
      socket.on("error", () => {});
      crowd.push(socket);
    }
    await until(
      () => Promise.resolve([...Deno.readDirSync(`/proc/${proxy.process.pid}/fd`)].length),
      (count) => count >= 200,
    );
    // A successor that comes to help finds nobody who can hear it.
    const listen = formatAddress(proxy.address);
    const args = [listen, formatAddress(service.address), "--runtime-dir", proxy.directory];
    await using successor = start("proxy", args);
    await client.send("yo");
    assert.equal(await client.read(2), "yo");
    for (const socket of crowd) socket.destroy();
    await successor.heard(/Listening/);
    await client.send("ha");
    assert.equal(await client.read(2), "ha");
    assert.equal((await proxy.process.finished()).code, 0);
    assert.equal((await proxy.status()).pid, successor.pid);
  },
);
