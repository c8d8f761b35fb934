import assert from "node:assert/strict";
import { whyNoTakeover } from "../handover/why_not.ts";
import { brieflyOr, onlyForLong } from "../support/long.ts";
import { Running } from "../support/programs.ts";
import { testWith } from "../support/tools.ts";
import { Traces } from "../support/traces.ts";

const COMMAND = [
  ...[Deno.execPath(), "run", "--quiet", "--allow-all"],
  ...[new URL("storm.ts", import.meta.url).pathname, "--json", "--limit", "10m"],
];
/** How often each service is replaced. */
const UPGRADES = brieflyOr(1, 20);
const NOTHING_LEFT = { files: [], processes: [] };

Deno.test("in a small storm nothing is refused, reset, truncated or answered wrongly", async () => {
  await using traces = await Traces.open();
  const command = [
    ...COMMAND,
    "--upgrades",
    `${UPGRADES}`,
    "--clients",
    "8",
    "--keep-alive",
    "8",
    "--seed",
    "1",
  ];
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
    upgrades: UPGRADES,
    planned: UPGRADES,
    clients: 8,
    seed: 1,
    clean: true,
  });
  const { stayed, answers } = receipt;
  assert.equal(stayed, 8);
  // Each of them was answered by each of the versions.
  assert.ok(answers >= (UPGRADES + 1) * 8, stdout);
  // Each of the clients was there for each of the versions.
  assert.ok(receipt.connections >= (UPGRADES + 1) * 8, stdout);
  assert.ok(receipt.bytes > 1024 * 1024, stdout);
  assert.ok(receipt.held > 0 && receipt.longestHoldMs > 0, stdout);
  assert.ok(receipt.drainsMeasured > 0 && receipt.drainMedianMs > 0, stdout);
  assert.deepEqual({ files: traces.files(), processes: traces.processes() }, NOTHING_LEFT);
});

testWith(
  onlyForLong ?? whyNoTakeover,
  "in a small storm with its proxies replaced nothing is refused, reset, truncated or answered wrongly",
  async () => {
    await using traces = await Traces.open();
    const command = [
      ...[...COMMAND, "--replace", "proxy,server", "--upgrades", "1", "--clients", "17"],
      ...["--keep-alive", "8"],
      ...["--threads", "2", "--standstill", "500ms"],
    ];
    await using storm = new Running(command, traces.options);
    const { code, stdout, stderr } = await storm.finished();
    assert.equal(code, 0, stderr);
    const { clean, upgrades, replacements, stayed, longestPauseMs } = JSON.parse(stdout);
    assert.ok(clean && upgrades === 1, stdout);
    assert.equal(stayed, 8);
    assert.equal(replacements.parked, 3);
    assert.equal(replacements.killed, 1);
    assert.ok(replacements.takenOver >= 4 && replacements.moved > 0, stdout);
    assert.ok(longestPauseMs > 0, stdout);
    assert.deepEqual({ files: traces.files(), processes: traces.processes() }, NOTHING_LEFT);
  },
);

testWith(
  onlyForLong,
  "a storm that is interrupted prints its receipt so far and leaves nothing",
  async () => {
    await using traces = await Traces.open();
    const command = [...COMMAND, "--upgrades", "1000", "--clients", "8", "--keep-alive", "0"];
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
  },
);
