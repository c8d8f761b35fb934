import assert from "node:assert/strict";
import { whyNoEpoll } from "../../lib/linux/available.ts";
import { Peer } from "../relay/peer.ts";
import { pause } from "../relay/waiting.ts";
import { HeldSocket } from "../storm/held_socket.ts";
import { brieflyOr, isLong, onlyForLong } from "../support/long.ts";
import { whyNotPassing } from "../support/passing.ts";
import { testWith } from "../support/tools.ts";
import { until } from "../support/until.ts";
import { ended, isKeeper, Stage } from "./stage.ts";

const no = whyNoEpoll();

testWith(
  no,
  "who comes while drained waits without any proxy, and is served by the next",
  async () => {
    await using stage = await Stage.set();
    await stage.drain();
    using early = await stage.client();
    const parked = await stage.park();
    using between = await stage.client();
    await stage.stop();
    using late = await stage.client();
    const next = await stage.next();
    const { state, owner, queued } = await next.status();
    assert.deepEqual([state, owner, queued], ["drained", "me", 3]);
    await ended(parked, stage);
    await stage.resume(next);
    for (const client of [early, between, late]) assert.equal(await client.read(2), "hi");
  },
);

testWith(
  onlyForLong ?? no,
  "with clients arriving all the time, not one of 100 is refused or reset",
  async () => {
    await using stage = await Stage.set();
    const { address } = stage.proxy;
    let over = false;
    const visit = async () => {
      using peer = await Peer.connect(address);
      await peer.send("hi");
      assert.equal(await peer.read(2), "hi");
      peer.finish();
      assert.equal(await peer.rest(), "");
    };
    let visits = 0;
    const visitors = Promise.all(Array.from({ length: 100 }, async () => {
      for (; !over || visits < 100; visits++) {
        await visit();
        // Somebody comes in each millisecond or two all the same.
        await pause(100);
      }
    }));
    let proxy = stage.proxy;
    for (let upgrade = 0; upgrade < brieflyOr(2, 3); upgrade++) {
      await using _previous = proxy;
      await proxy.drain();
      assert.equal((await proxy.ctl(["park"])).code, 0);
      proxy.process.kill("SIGTERM");
      assert.equal((await proxy.process.finished()).code, 0);
      // For that long nothing runs but the keeper.
      await pause(500);
      proxy = await stage.next();
      await stage.resume(proxy);
    }
    over = true;
    await visitors;
    assert.ok(visits >= 100);
  },
);

testWith(
  no,
  "a proxy that is parked says so, and the keeper does once the proxy has gone",
  async () => {
    await using stage = await Stage.set();
    await stage.drain({ reason: "upgrade" });
    const parked = await stage.park("--for", "1m");
    const left = Date.parse(parked.until) - Date.now();
    assert.ok(left > 30_000 && left <= 60_000, `${left}`);
    using _client = await stage.client();
    const before = await stage.proxy.until(({ queued }) => queued === 1);
    await stage.stop();
    const after = await stage.proxy.status();
    for (const status of [before, after]) {
      const { state, queued, owner, reason, keeper, parkedUntil, active } = status;
      assert.deepEqual(
        [state, queued, owner, reason, keeper, parkedUntil, active],
        ["parked", 1, "me", "upgrade", parked.keeper, parked.until, 0],
      );
    }
    assert.deepEqual([before.pid, after.pid], [stage.proxy.process.pid, parked.keeper]);
    assert.deepEqual(stage.proxy.log("queue_reset"), []);
    const [stopped] = stage.proxy.log("stopped");
    assert.deepEqual([stopped?.["keeper"], stopped?.["queued"]], [parked.keeper, 1]);
    const { stdout } = await stage.proxy.ctl(["status"]);
    assert.match(stdout, /^state +parked$/m);
    assert.match(stdout, /^parked until +in \S+ \(\S+\)$/m);
  },
);

testWith(
  onlyForLong ?? no,
  "somebody answers at every moment from parking to the next proxy",
  async () => {
    await using stage = await Stage.set();
    await stage.drain();
    const states = new Set<string>();
    const failed: unknown[] = [];
    let over = false;
    const asking = (async () => {
      while (!over) {
        try {
          const { state, error } = JSON.parse(
            (await stage.proxy.request("GET", "/v1/status")).text,
          );
          states.add(state ?? error.code);
        } catch (error) {
          failed.push(error);
        }
      }
    })();
    await stage.park();
    await stage.stop();
    await stage.proxy.until(({ pid }) => pid !== stage.proxy.process.pid);
    const next = await stage.next();
    await next.until(({ state }) => state === "drained");
    over = true;
    await asking;
    assert.deepEqual(failed, []);
    states.delete("moved");
    assert.deepEqual([...states], ["drained", "parked"]);
  },
);

testWith(
  no,
  "resumed while the proxy still lives, that serves those who wait, and the keeper ends",
  async () => {
    await using stage = await Stage.set();
    await stage.drain();
    const parked = await stage.park();
    using client = await stage.client();
    const refused = await stage.proxy.ctl(["resume", "--owner", "you"]);
    assert.equal(refused.code, 5);
    assert.equal((await stage.proxy.status()).state, "parked");
    await stage.resume(stage.proxy);
    assert.equal(await client.read(2), "hi");
    await ended(parked, stage);
    const { state, keeper, parkedUntil } = await stage.proxy.status();
    assert.deepEqual([state, keeper, parkedUntil], ["open", null, null]);
  },
);

testWith(
  onlyForLong ?? no,
  "a resume that belongs to a refused drain does not end the parking",
  async () => {
    await using stage = await Stage.set();
    await stage.drain({ exclusive: true });
    assert.equal((await stage.proxy.ctl(["drain", "--owner", "me", "--exclusive"])).code, 5);
    const parked = await stage.park();
    await stage.resume(stage.proxy);
    assert.equal((await stage.proxy.status()).state, "parked");
    await stage.stop();
    // It was used up: the next one counts.
    const next = await stage.next();
    await stage.resume(next);
    assert.equal((await next.status()).state, "open");
    await ended(parked, stage);
  },
);

testWith(
  onlyForLong ?? no,
  "a proxy can be parked again after it was resumed, and by its successor",
  async () => {
    await using stage = await Stage.set();
    for (let round = 0; round < 2; round++) {
      await stage.drain();
      await stage.park();
      await stage.resume(stage.proxy);
    }
    await stage.drain();
    const parked = await stage.park();
    const next = await stage.next({ args: ["--takeover=always"] });
    await stage.proxy.process.finished();
    await ended(parked, stage);
    using client = await stage.client();
    await stage.park();
    await stage.resume(next);
    assert.equal(await client.read(2), "hi");
  },
);

testWith(
  onlyForLong ?? no,
  "a proxy that starts while the parked one lives takes over from that, which ends",
  async () => {
    await using stage = await Stage.set();
    await stage.drain();
    const parked = await stage.park();
    using client = await stage.client();
    await assert.rejects(stage.next(), /--takeover always/);
    const next = await stage.next({ args: ["--takeover=always"] });
    assert.equal((await stage.proxy.process.finished()).code, 0);
    await ended(parked, stage);
    assert.equal((await next.status()).state, "drained");
    await stage.resume(next);
    assert.equal(await client.read(2), "hi");
  },
);

testWith(
  onlyForLong ?? no,
  "the keeper belongs to nobody: own session, own directory, nothing of its caller open",
  async () => {
    await using stage = await Stage.set();
    await stage.drain();
    const { keeper } = await stage.park();
    const stat = Deno.readTextFileSync(`/proc/${keeper}/stat`).split(") ")[1]?.split(" ") ?? [];
    assert.deepEqual(stat.slice(2, 4), [`${keeper}`, `${keeper}`]);
    assert.equal(Deno.readLinkSync(`/proc/${keeper}/cwd`), "/");
    const [stdin, , stderr] = [0, 1, 2].map((fd) => Deno.readLinkSync(`/proc/${keeper}/fd/${fd}`));
    assert.deepEqual([stdin, stderr], ["/dev/null", "/dev/null"]);
    const { mode } = await Deno.lstat(`${stage.directory}/keeper.log`);
    assert.equal((mode ?? 0) & 0o777, 0o600);
  },
);

testWith(no, "a proxy that may not take over from a keeper says who has the clients", async () => {
  await using stage = await Stage.set();
  await stage.drain();
  const { keeper } = await stage.park();
  await stage.stop();
  for (const option of ["--takeover=never", "--relay=portable"]) {
    await assert.rejects(
      stage.next({ args: [option] }),
      new RegExp(`A keeper \\(process ${keeper}\\) keeps the clients of the proxy`),
    );
  }
  assert.ok(isKeeper(keeper, stage.directory));
});

testWith(
  onlyForLong ?? no,
  "with-drain may have the proxy parked and restarted, and resumes the next one",
  async () => {
    await using stage = await Stage.set();
    await using running = stage.proxy.startCtl(["with-drain", "--", "sh", "-c", "read -r line"]);
    await stage.proxy.logged("drained");
    await stage.park();
    using client = await stage.client();
    await stage.stop();
    const next = await stage.next();
    assert.equal((await next.status()).state, "drained");
    await running.write("\n");
    const { code, stderr } = await running.finished();
    assert.equal(code, 0, stderr);
    assert.match(stderr, /^Drained after [^\n]*\nResumed; 1 client was held, [^\n]*\n$/);
    assert.equal((await next.status()).state, "open");
    assert.equal(await client.read(2), "hi");
  },
);

testWith(
  onlyForLong ?? no,
  "a resume while a parked proxy is being stopped is done wholly, or not at all",
  async () => {
    await Promise.all((isLong ? [0, 1, 2, 3, 4, 6, 8, 12] : [0, 3, 8]).map(async (wait) => {
      await using stage = await Stage.set();
      await stage.drain();
      const { keeper } = await stage.park();
      using client = await stage.client();
      stage.proxy.process.kill("SIGTERM");
      await pause(wait);
      const answer = await stage.proxy.request("POST", "/v1/resume", { owner: "me" })
        .catch(() => null);
      const isResumed = answer?.status === 200;
      if (isResumed) {
        assert.equal(await client.read(2), "hi");
        client.finish();
      }
      assert.equal((await stage.proxy.process.finished()).code, 0);
      const record = await Deno.stat(`${stage.directory}/drain.json`).catch(() => null);
      assert.equal(record === null, isResumed, "the record goes with the drain, and only then");
      if (isResumed) return;
      await until(() => stage.proxy.status().catch(() => null), (status) => status?.pid === keeper);
      await stage.resume(await stage.next());
      assert.equal(await client.read(2), "hi");
    }));
  },
);

testWith(
  onlyForLong ?? no ?? whyNotPassing(),
  "a socket that the service manager passes on again is not waited for",
  async () => {
    using held = new HeldSocket();
    const through = held.passedTo([]);
    await using stage = await Stage.set({ listen: held.address, through });
    await stage.drain();
    await stage.park();
    await stage.stop();
    held.block();
    const next = await stage.next({ through });
    await stage.resume(next);
    using first = await next.served();
    const crowd = await Promise.all(Array.from({ length: 20 }, () => next.served()));
    await first.send("yo");
    assert.equal(await first.read(2), "yo");
    for (const client of crowd) client[Symbol.dispose]();
    next.process.kill("SIGTERM");
    first.finish();
    assert.equal((await next.process.finished()).code, 0);
  },
);

testWith(
  onlyForLong ?? no,
  "something else under the name of the control socket loses nobody who is kept",
  async () => {
    await using stage = await Stage.set();
    await stage.drain();
    using client = await stage.client();
    await stage.park();
    const { controlSocket } = stage.proxy;
    await Deno.remove(controlSocket);
    await Deno.mkdir(`${controlSocket}/x`, { recursive: true });
    await stage.stop();
    await stage.logged(/Failed to be found at the control socket/);
    await Deno.remove(controlSocket, { recursive: true });
    const next = await stage.next();
    await stage.resume(next);
    assert.equal(await client.read(2), "hi");
  },
);
