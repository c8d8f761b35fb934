import assert from "node:assert/strict";
import type { HistoryResult } from "../../lib/control/api.ts";
import { readHistory } from "../../lib/drain/history_file.ts";
import { Lineage } from "../handover/lineage.ts";
import { whyNoTakeover } from "../handover/why_not.ts";
import { echo } from "../relay/peer.ts";
import { Proxy } from "../support/proxy.ts";
import { TemporaryDirectory } from "../support/temporary.ts";
import { until } from "../support/until.ts";
import { testWith } from "../support/tools.ts";
import { both } from "./both.ts";
import { onlyForLong } from "../support/long.ts";

async function historyOf(proxy: Proxy): Promise<HistoryResult["drains"]> {
  return JSON.parse((await proxy.request("GET", "/v1/history")).text).drains;
}

Deno.test("a drain that failed is remembered: in the status, in the history, in the log, and over a crash", async () => {
  await using service = await echo();
  await using directory = await TemporaryDirectory.make();
  const options = { directory: `${directory.path}/proxy` };
  await using proxy = await Proxy.start(service.address, options);
  assert.equal((await both(proxy, "history")).text, "No drain is remembered\n");
  assert.equal((await proxy.status()).lastDrain, null);
  using client = await proxy.served();
  await proxy.until(({ bytesDown }) => bytesDown === 2);
  const args = ["drain", "--owner", "me", "--reason", "an upgrade", "--timeout", "400ms"];
  const { code, stderr } = await proxy.ctl(args);
  assert.equal(code, 4);
  assert.match(
    stderr,
    /\nIt was quiet for over \S+: --suspend-quiet \S+ would have let it stay, --close-idle \S+ would have cut it\n$/,
  );

  const { lastDrain } = await proxy.status();
  assert.deepEqual(
    [lastDrain?.outcome, lastDrain?.owner, lastDrain?.reason, lastDrain?.active, lastDrain?.held],
    ["deadline", "me", "an upgrade", 1, 0],
  );
  assert.ok(Number(lastDrain?.tookSeconds) >= 0.4);
  assert.deepEqual(lastDrain?.blockers.map(({ peer }) => peer), [client.name]);
  const [line] = proxy.log("resume");
  assert.equal(line?.["active"], 1);
  const named = new RegExp(
    `; 1 still active: ${client.name} \\(idle for \\S+\\); nothing was cut$`,
  );
  assert.match(`${line?.["message"]}`, named);
  const status = await proxy.ctl(["status"]);
  assert.match(
    // Its lines are broken where they are too long.
    status.stdout.replaceAll(/\n +/g, " "),
    new RegExp(
      `^last drain +\\S+ ago \\(\\S+\\) for "me" \\(an upgrade\\): failed \\(deadline\\) after \\S+; ` +
        `1 in the way: ${client.name} \\(idle for \\S+\\)$`,
      "m",
    ),
  );

  const cut = await proxy.ctl(["with-drain", "--close-idle", "1ms", "--", "true"]);
  assert.equal(cut.code, 0, cut.stderr);
  const drained = new RegExp(`, 1 cut: ${client.name} \\(idle for \\S+\\)$`);
  assert.match(`${proxy.log("drained")[0]?.["message"]}`, drained);
  const { text, json } = await both(proxy, "history");
  assert.deepEqual(json, await historyOf(proxy));
  assert.deepEqual(json.map(({ cut }: { cut: number }) => cut), [0, 1]);
  assert.match(text, /^WHEN +OUTCOME .*\n.* ago .* deadline .* me\n.* ago .* drained .* resumed /);

  await proxy.crash();
  await using next = await Proxy.start(service.address, options);
  assert.deepEqual(await historyOf(next), json);
  assert.deepEqual((await next.status()).lastDrain, json[1]);
});

Deno.test("a history that cannot be written is in the way of no drain", async () => {
  await using service = await echo();
  await using directory = await TemporaryDirectory.make();
  const options = { directory: `${directory.path}/proxy` };
  await Deno.mkdir(`${options.directory}/history.jsonl/in-its-place`, { recursive: true });
  await using proxy = await Proxy.start(service.address, options);
  for (let time = 0; time < 2; time++) {
    await proxy.drain();
    await proxy.resume();
  }
  assert.equal((await historyOf(proxy)).length, 2);
  await proxy.logged("history_failed");
});

testWith(
  onlyForLong ?? whyNoTakeover,
  "the history goes on in the next process, whether it takes over or comes after a keeper",
  async () => {
    await using service = await echo();
    await using lineage = await Lineage.found(service.address);
    await lineage.proxy.drain({ reason: "first" });
    // So that only what the processes say to each other can be known. It is written in the background.
    const file = `${lineage.proxy.directory}/history.jsonl`;
    await until(() => readHistory(file), ([first]) => first !== undefined);
    await Deno.remove(file);
    await lineage.replace(service.address);
    await lineage.proxy.resume();
    await lineage.proxy.drain({ reason: "second" });
    const reasons = async () => (await historyOf(lineage.proxy)).map(({ reason }) => reason);
    assert.deepEqual(await reasons(), ["first", "second"]);

    const parked = await lineage.proxy.ctl(["park"]);
    assert.equal(parked.code, 0, parked.stderr);
    const { directory } = lineage.proxy;
    lineage.proxy.process.kill("SIGTERM");
    await lineage.proxy.process.finished();
    await lineage.proxy.until(({ state, threads }) => state === "parked" && threads === 0);
    assert.deepEqual(await reasons(), ["first", "second"]);
    assert.equal((await lineage.proxy.status()).lastDrain?.reason, "second");
    await using next = await Proxy.start(service.address, {
      directory,
      listen: `127.0.0.1:${lineage.proxy.address.port}`,
    });
    await next.resume();
    const [first, second] = await historyOf(next);
    assert.deepEqual([first?.endedBy, second?.endedBy], ["resumed", "resumed"]);
  },
);
