import assert from "node:assert/strict";
import { whyNoEpoll } from "../../lib/linux/available.ts";
import { Peer, unusedAddress } from "../relay/peer.ts";
import { onlyForLong } from "../support/long.ts";
import type { Proxy } from "../support/proxy.ts";
import { testWith } from "../support/tools.ts";
import { until } from "../support/until.ts";
import { ended, Stage } from "./stage.ts";

const no = whyNoEpoll();

testWith(
  onlyForLong ?? no,
  "clients that a drain found still being connected are held by takeovers and a keeper too, and served by whoever resumes",
  async () => {
    await using stage = await Stage.set();
    const clients = await connecting(stage);
    await stage.drain();
    await holds(stage.proxy, "drained", clients.length);
    const second = await stage.next({ args: ["--takeover=always", "--threads=2"] });
    await holds(second, "drained", clients.length);
    await stage.proxy.process.finished();
    const third = await stage.next({ args: ["--takeover=always"] });
    await holds(third, "drained", clients.length);
    const parked = await stage.park();
    assert.equal(parked.queued, clients.length);
    await holds(third, "parked", clients.length);
    third.process.kill("SIGTERM");
    const { code, stderr } = await third.process.finished();
    assert.equal(code, 0, stderr);
    await holds(third, "parked", clients.length);
    const fourth = await stage.next();
    await holds(fourth, "drained", clients.length);
    await ended(parked, stage);
    await fourth.retarget(stage.service.address);
    await stage.resume(fourth);
    await served(clients);
    await holds(fourth, "open", 0, clients.length);
  },
);

testWith(
  onlyForLong ?? no,
  "a proxy that is killed while it is parked leaves them to the keeper",
  async () => {
    await using stage = await Stage.set();
    const clients = await connecting(stage);
    await stage.drain();
    await stage.park();
    stage.proxy.process.kill("SIGKILL");
    await stage.proxy.process.finished();
    const next = await stage.next();
    await holds(next, "drained", clients.length);
    await next.retarget(stage.service.address);
    await stage.resume(next);
    await served(clients);
  },
);

testWith(no, "a keeper that nobody succeeds resets them", async () => {
  await using stage = await Stage.set();
  const clients = await connecting(stage);
  await stage.drain();
  const { keeper } = await stage.park();
  await stage.stop();
  Deno.kill(keeper, "SIGTERM");
  for (const client of clients) assert.equal(await client.ending, "reset");
});

testWith(
  onlyForLong ?? no,
  "suspended clients go through takeovers and a keeper, who drops those that leave, and are served on the same connection",
  async () => {
    await using stage = await Stage.set();
    const stays = await stage.proxy.served();
    const leaves = await stage.proxy.served();
    const leavesLater = await stage.proxy.served();
    const asks = await stage.proxy.served();
    await stage.drain({ suspendQuiet: "50ms" });
    const suspended = (proxy: Proxy, state: string, count: number) =>
      proxy.until((status) => status.state === state && status.suspended === count);
    await suspended(stage.proxy, "drained", 4);
    const second = await stage.next({ args: ["--takeover=always", "--threads=2"] });
    await suspended(second, "drained", 4);
    await stage.proxy.process.finished();
    leaves.finish();
    await suspended(second, "drained", 3);
    assert.equal(await leaves.ending, "end");
    const parked = await stage.parkBy(second);
    second.process.kill("SIGTERM");
    await second.process.finished();
    const before = await second.until(({ pid }) => pid === parked.keeper);
    assert.equal(before.queued, 0);
    leavesLater.reset();
    await asks.send("more");
    await suspended(second, "parked", 2);
    const third = await stage.next();
    await suspended(third, "drained", 2);
    await stage.resume(third);
    assert.equal(await asks.read(4), "more");
    await suspended(third, "open", 1);
    await stays.send("again");
    assert.equal(await stays.read(5), "again");
    await suspended(third, "open", 0);
    const { accepted, active } = await third.status();
    assert.deepEqual([accepted, active], [4, 2]);
  },
);

testWith(
  onlyForLong ?? no,
  "a header of the PROXY protocol may come before a takeover, while a keeper stands in, and after: each is read once",
  async () => {
    const args = ["--accept-proxy=127.0.0.0/8", "--send-proxy=v1"];
    await using stage = await Stage.set({ args });
    // The service sends back what it hears, the header to it among that.
    const header = "PROXY TCP4 192.0.2.7 198.51.100.1 54321 443\r\n";
    const says: [before: string, meanwhile: string, after: string][] = [
      [header, "hi", ""],
      [header.slice(0, 20), header.slice(20), "hi"],
      [header.slice(0, 7), header.slice(7, 9), `${header.slice(9)}hi`],
      ["", "", `${header}hi`],
    ];
    const clients: Peer[] = [];
    for (const _ of says) clients.push(await Peer.connect(stage.proxy.address));
    const say = async (when: 0 | 1 | 2) => {
      for (const [index, words] of says.entries()) {
        if (words[when] !== "") await clients[index]?.send(words[when]);
      }
    };
    // All are held here, not in the queue.
    await stage.proxy.until(({ accepted }) => accepted === clients.length);
    await stage.drain();
    await say(0);
    const known = async () => {
      const { text } = await stage.proxy.request("GET", "/v1/connections");
      return JSON.parse(text).connections
        .filter(({ peer }: { peer: string }) => peer === "192.0.2.7:54321").length;
    };
    await until(known, (count) => count === 1);
    const second = await stage.next({ args: [...args, "--takeover=always"] });
    await stage.proxy.process.finished();
    await holds(second, "drained", clients.length);
    assert.equal(await known(), 1);
    const parked = await stage.parkBy(second);
    second.process.kill("SIGTERM");
    await second.process.finished();
    await second.until(({ pid }) => pid === parked.keeper);
    await say(1);
    const third = await stage.next({ args });
    await holds(third, "drained", clients.length);
    await stage.resume(third);
    await third.until(({ active }) => active === 2);
    await say(2);
    for (const client of clients) assert.equal(await client.read(header.length + 2), `${header}hi`);
    await holds(third, "open", 0, clients.length);
    const { accepted, bytesUp } = await third.status();
    assert.deepEqual([accepted, bytesUp], [4, 8]);
  },
);

/** Clients whose service is down. */
async function connecting(stage: Stage): Promise<Peer[]> {
  await stage.proxy.retarget(await unusedAddress());
  const clients = [await stage.client(), await stage.client(), await stage.client()];
  await stage.proxy.until(({ active }) => active === clients.length);
  return clients;
}

async function holds(proxy: Proxy, state: string, queued: number, active = 0): Promise<void> {
  const status = await proxy.status();
  assert.deepEqual([status.state, status.queued, status.active], [state, queued, active]);
}

async function served(clients: readonly Peer[]): Promise<void> {
  for (const client of clients) {
    await client.send("!");
    assert.equal(await client.read(3), "hi!");
  }
}
