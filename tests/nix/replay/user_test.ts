import assert from "node:assert/strict";
import { AnotherUser, noOtherUser } from "../../support/another_user.ts";
import { testWith } from "../../support/tools.ts";
import { deploy, story } from "./disnix.ts";
import { answered, Example } from "./example.ts";
import { Machine } from "./machine.ts";
import { whyNot } from "./why_not.ts";

const no = whyNot("process") ?? noOtherUser();

testWith(no, "an ordinary user deploys a proxy, and replaces it", async () => {
  await using user = await AnotherUser.make();
  await using machine = await Machine.start("process", { home: user, user });
  await using example = new Example(machine);
  const before = await example.install();
  const { pid } = await example.status();
  assert.equal(Deno.statSync(`/proc/${pid}`).uid, user.id);
  let held;
  const deployment = await deploy(machine, before, await example.version(2), async () => {
    held = await example.client();
  });
  assert.ok(deployment.succeeded, story(deployment));
  assert.ok(held !== undefined);
  await answered(held, 2);
});

testWith(no, "root deploys a proxy that runs as another user, and replaces it", async () => {
  await using user = await AnotherUser.make();
  await using machine = await Machine.start("process", { home: user });
  await using example = new Example(machine);
  const id = `${user.id}`;
  const before = [
    ...["/usr/bin/env", `DENO_DIR=${user.cache}`],
    ...["setpriv", `--reuid=${id}`, `--regid=${id}`, "--clear-groups"],
  ];
  const old = await example.install({ before, owner: user.id });
  const { pid } = await example.status();
  assert.equal(Deno.statSync(`/proc/${pid}`).uid, user.id);
  let held;
  const deployment = await deploy(
    machine,
    old,
    await example.version(2, { before, owner: user.id }),
    async () => {
      held = await example.client();
    },
  );
  assert.ok(deployment.succeeded, story(deployment));
  assert.ok(held !== undefined);
  await answered(held, 2);
  // What root has done there belongs to the user.
  for (const { name } of Deno.readDirSync(example.directory)) {
    assert.equal(Deno.lstatSync(`${example.directory}/${name}`).uid, user.id, name);
  }
});
