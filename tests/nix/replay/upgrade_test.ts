import assert from "node:assert/strict";
import { freePort } from "../../support/free_port.ts";
import { isLong, onlyForLong } from "../../support/long.ts";
import { testWith } from "../../support/tools.ts";
import { Crowd } from "./crowd.ts";
import { deploy, type Deployment, namesOf, story } from "./disnix.ts";
import { answered, answerOf, Example, leave } from "./example.ts";
import { Machine } from "./machine.ts";
import type { Service } from "./service.ts";
import { PROCESS_TYPES, whyNot } from "./why_not.ts";

/** For whom what each of them does is replayed: briefly for one. */
const TYPES = isLong ? PROCESS_TYPES : PROCESS_TYPES.slice(0, 1);

/** Deploys under 64 clients, each of which must be served, by the old version or the new one. */
async function upgrade(
  example: Example,
  before: readonly Service[],
  after: readonly Service[],
): Promise<Deployment> {
  const crowd = new Crowd(example.address, 64);
  await crowd.visits(crowd.count);
  const deployment = await deploy(example.machine, before, after);
  assert.ok(deployment.succeeded, story(deployment));
  await crowd.visits(crowd.count);
  const { faults, answered } = await crowd.leave();
  assert.deepEqual(faults, [], story(deployment));
  const turn = answered.find(({ answer }) => answer === answerOf(2))?.answered ?? Infinity;
  assert.ok(turn < Infinity, `nobody was served by the new version: ${story(deployment)}`);
  const late = answered.filter(({ began, answer }) => began > turn && answer === answerOf(1));
  assert.deepEqual(late, [], `the old version went on: ${story(deployment)}`);
  return deployment;
}

for (const type of TYPES) {
  testWith(
    whyNot(type),
    `${type}: a server moves under 64 clients, and none is refused, reset or lost`,
    async () => {
      await using machine = await Machine.start(type);
      await using example = new Example(machine);
      const services = await example.version(1);
      const first = await deploy(machine, [], services);
      assert.deepEqual(namesOf(first), [
        "activate server-v1",
        "activate proxy",
        "unlock proxy",
      ], story(first));
      const second = await upgrade(example, services, await example.version(2));
      assert.deepEqual(namesOf(second), [
        "lock proxy",
        "deactivate proxy",
        "deactivate server-v1",
        "activate server-v2",
        "activate proxy",
        "unlock proxy",
      ]);
      assert.deepEqual(example.keepers(), []);
    },
  );
}

for (const type of TYPES) {
  testWith(
    onlyForLong ?? whyNot(type),
    `${type}: a server changes in place under 64 clients, and none is refused, reset or lost`,
    async () => {
      await using machine = await Machine.start(type);
      await using example = new Example(machine);
      const port = freePort();
      const before = await example.version(1, {}, port);
      assert.ok((await deploy(machine, [], before)).succeeded);
      const after = await example.version(2, {}, port);
      // It is deployed anew although it is the same, because of what it depends on.
      assert.equal(before[1].component, after[1].component);
      const { calls } = await upgrade(example, before, after);
      assert.equal(calls.filter(({ service }) => service.name === "proxy").length, 4);
    },
  );
}

testWith(
  onlyForLong ?? whyNot("process"),
  "with suspendQuiet a client lives through a deployment that replaces server and proxy, over one connection",
  async () => {
    await using machine = await Machine.start("process");
    await using example = new Example(machine);
    const options = { suspendQuiet: "100ms" };
    const before = await example.install(options);
    const client = await example.served(1);
    const { pid } = await example.status();
    const deployment = await deploy(machine, before, await example.version(2, options));
    assert.ok(deployment.succeeded, story(deployment));
    assert.notEqual((await example.status()).pid, pid);
    await client.send("hello\n");
    await answered(client, 2);
    await leave(client);
  },
);

testWith(
  onlyForLong ?? whyNot("supervisord-program"),
  "a proxy that does not depend on its server keeps running, and only holds",
  async () => {
    await using machine = await Machine.start("supervisord-program");
    await using example = new Example(machine);
    const port = freePort();
    const [server, proxy] = await example.version(1, {}, port);
    const connected = { ...proxy, dependsOn: [] };
    assert.ok((await deploy(machine, [], [server, connected])).succeeded);
    const { pid } = await example.status();
    const next = await example.server(2, port);
    const deployment = await upgrade(example, [server, connected], [next, connected]);
    assert.deepEqual(namesOf(deployment), [
      "lock proxy",
      "deactivate server-v1",
      "activate server-v2",
      "unlock proxy",
    ]);
    assert.equal((await example.status()).pid, pid);
  },
);
