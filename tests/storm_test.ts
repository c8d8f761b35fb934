import assert from "node:assert/strict";
import { whyNoTakeover } from "./handover/why_not.ts";
import { Running } from "./support/programs.ts";
import { testWith } from "./support/tools.ts";
import { Traces } from "./support/traces.ts";

const COMMAND = [
  ...[Deno.execPath(), "run", "--quiet", "--allow-all"],
  ...[new URL("storm/storm.ts", import.meta.url).pathname, "--json", "--limit", "60s"],
];
const NOTHING_LEFT = { files: [], processes: [] };

Deno.test("in a small storm nothing is refused, reset, truncated or answered wrongly", async () => {
  await using traces = await Traces.open();
  const command = [...COMMAND, "--upgrades", "3", "--clients", "8", "--seed", "1"];
  await using storm = new Running(command, traces.options);
  const { code, stdout, stderr } = await storm.finished();
  assert.equal(code, 0, stderr);
  const receipt = JSON.parse(stdout);
  const { refused, reset, truncated, wrongAnswers } = receipt;
  assert.deepEqual({ refused, reset, truncated, wrongAnswers }, {
    refused: 0,
    reset: 0,
    truncated: 0,
    wrongAnswers: 0,
  });
  const { upgrades, planned, clients, seed, clean } = receipt;
  assert.deepEqual({ upgrades, planned, clients, seed, clean }, {
    upgrades: 3,
    planned: 3,
    clients: 8,
    seed: 1,
    clean: true,
  });
  // Each of the clients was there for each of the versions.
  assert.ok(receipt.connections >= 4 * 8, stdout);
  assert.ok(receipt.bytes > 1024 * 1024, stdout);
  assert.ok(receipt.held > 0 && receipt.longestHoldMs > 0, stdout);
  assert.ok(receipt.drainsMeasured > 0 && receipt.drainMedianMs < 1000, stdout);
  assert.deepEqual({ files: traces.files(), processes: traces.processes() }, NOTHING_LEFT);
});

testWith(
  whyNoTakeover,
  "in a small storm with its proxies replaced nothing is refused, reset, truncated or answered wrongly",
  async () => {
    await using traces = await Traces.open();
    const command = [...COMMAND, "--replace", "proxy,server", "--upgrades", "1", "--clients", "17"];
    await using storm = new Running(command, traces.options);
    const { code, stdout, stderr } = await storm.finished();
    assert.equal(code, 0, stderr);
    const { clean, upgrades, replacements, longestPauseMs } = JSON.parse(stdout);
    assert.ok(clean && upgrades === 1, stdout);
    assert.equal(replacements.parked, 2);
    assert.equal(replacements.killed, 1);
    assert.ok(replacements.takenOver >= 3 && replacements.moved > 0, stdout);
    assert.ok(longestPauseMs > 0, stdout);
    assert.deepEqual({ files: traces.files(), processes: traces.processes() }, NOTHING_LEFT);
  },
);

Deno.test("a storm that is interrupted prints its receipt so far and leaves nothing", async () => {
  await using traces = await Traces.open();
  const command = [...COMMAND, "--upgrades", "1000", "--clients", "8"];
  await using storm = new Running(command, traces.options);
  await storm.heard(/1 of 1000 upgrades/);
  assert.equal(traces.files().length, 1);
  storm.kill("SIGINT");
  const { code, stdout, stderr } = await storm.finished();
  assert.equal(code, 130, stderr);
  assert.match(stderr, /^storm: Interrupted$/m);
  const { upgrades, connections, clean } = JSON.parse(stdout);
  assert.ok(upgrades >= 1 && connections > 0 && clean, stdout);
  assert.deepEqual({ files: traces.files(), processes: traces.processes() }, NOTHING_LEFT);
});
