import assert from "node:assert/strict";
import { formatAddress } from "../../lib/address.ts";
import { echo, Peer } from "../relay/peer.ts";
import { onlyForLong } from "../support/long.ts";
import { complete } from "../support/programs.ts";
import { Proxy } from "../support/proxy.ts";
import { TinyDisk, whyNoTinyDisk } from "../support/tiny_disk.ts";
import { testWith } from "../support/tools.ts";
import { until } from "../support/until.ts";
import { whyNoTakeover } from "./why_not.ts";

const no = whyNoTakeover ?? whyNoTinyDisk();

testWith(
  no,
  "a successor without room for its sockets fails before anything moves, and one with room follows",
  async () => {
    await using disk = await TinyDisk.mount();
    const directory = `${disk.path}/proxy`;
    await using service = await echo();
    await using first = await Proxy.start(service.address, { directory });
    using client = await first.served();
    await disk.fill();
    const listen = formatAddress(first.address);
    const always = ["--takeover=always"];
    const args = [listen, formatAddress(service.address), "--runtime-dir", directory];
    const { code, stderr } = await complete("proxy", [...args, ...always]);
    assert.match(stderr, /^disnix-tcp-proxy: Failed to make the control socket in [^\n]+\n$/);
    assert.equal(code, 1);
    assert.deepEqual(first.log("handover_failed"), [], "it was frozen");
    await client.send("ho");
    assert.equal(await client.read(2), "ho");
    await disk.clear();
    await using second = await Proxy.start(service.address, { directory, listen, args: always });
    await client.send("ha");
    assert.equal(await client.read(2), "ha");
    assert.deepEqual(await names(directory), [
      "control.sock",
      "handover.sock",
      "history.jsonl",
      "lock",
    ]);
    assert.equal((await second.status()).active, 1);
  },
);

testWith(
  onlyForLong ?? no,
  "a keeper without room for its sockets is none, and one that had room needs none later",
  async () => {
    await using disk = await TinyDisk.mount();
    const directory = `${disk.path}/proxy`;
    await using service = await echo();
    await using first = await Proxy.start(service.address, { directory });
    await first.drain();
    await disk.fill();
    const { code, stderr } = await first.ctl(["park"]);
    assert.match(stderr, /^proxyctl: Failed to make the control socket in [^\n]+\n$/);
    assert.equal(code, 1);
    assert.equal((await first.status()).state, "drained");

    await disk.clear();
    const parked = await first.ctl(["park", "--json", "--for", "1m"]);
    assert.equal(parked.code, 0, parked.stderr);
    using client = await Peer.connect(first.address);
    await client.send("hi");
    await disk.fill();
    first.process.kill("SIGTERM");
    await first.process.finished();
    const { keeper } = JSON.parse(parked.stdout);
    await until(() => first.status().catch(() => null), (status) => status?.pid === keeper);
    // The proxy has left room.
    await disk.fill();
    const listen = formatAddress(first.address);
    const args = [listen, formatAddress(service.address), "--runtime-dir", directory];
    assert.equal((await complete("proxy", args)).code, 1);
    assert.equal((await first.status()).pid, keeper);
    await disk.clear();
    await using next = await Proxy.start(service.address, { directory, listen });
    await next.resume();
    assert.equal(await client.read(2), "hi");
  },
);

async function names(directory: string): Promise<string[]> {
  return (await Array.fromAsync(Deno.readDir(directory))).map(({ name }) => name).sort();
}
