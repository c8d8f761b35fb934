import assert from "node:assert/strict";
import { AnotherUser, noOtherUser } from "../../support/another_user.ts";
import { onlyForLong } from "../../support/long.ts";
import { testWith } from "../../support/tools.ts";
import { deploy, story } from "./disnix.ts";
import { answered, Example, type Options } from "./example.ts";
import { Machine } from "./machine.ts";
import { whyNot } from "./why_not.ts";

const no = whyNot("process") ?? noOtherUser();

/** A proxy that root starts, and that runs as this user. */
function as({ id, cache }: AnotherUser): Options {
  const become = ["setpriv", `--reuid=${id}`, `--regid=${id}`, "--clear-groups"];
  return { before: ["/usr/bin/env", `DENO_DIR=${cache}`, ...become], owner: id };
}

testWith(onlyForLong ?? no, "an ordinary user deploys a proxy, and replaces it", async () => {
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
  const old = await example.install(as(user));
  const { pid } = await example.status();
  assert.equal(Deno.statSync(`/proc/${pid}`).uid, user.id);
  let held;
  const deployment = await deploy(machine, old, await example.version(2, as(user)), async () => {
    held = await example.client();
  });
  assert.ok(deployment.succeeded, story(deployment));
  assert.ok(held !== undefined);
  await answered(held, 2);
  // What root has done there belongs to the user.
  for (const { name } of Deno.readDirSync(example.directory)) {
    assert.equal(Deno.lstatSync(`${example.directory}/${name}`).uid, user.id, name);
  }
});

testWith(
  onlyForLong ?? no,
  "a proxy that is to be root's goes on with the clients of another user's",
  async () => {
    await using user = await AnotherUser.make();
    await using machine = await Machine.start("process", { home: user });
    await using example = new Example(machine);
    const old = await example.install(as(user));
    let held;
    const deployment = await deploy(machine, old, await example.version(2), async () => {
      held = await example.client();
    });
    assert.ok(deployment.succeeded, story(deployment));
    assert.ok(held !== undefined);
    await answered(held, 2);
  },
);

testWith(
  onlyForLong ?? no,
  "a proxy that is no longer to be root's loses nobody, and can be had later",
  async () => {
    await using user = await AnotherUser.make();
    await using machine = await Machine.start("process", { home: user });
    await using example = new Example(machine);
    const old = await example.install();
    const next = await example.version(2, as(user));
    let held;
    const deployment = await deploy(machine, old, next, async () => {
      held = await example.client();
    });
    assert.equal(deployment.succeeded, false);
    assert.ok(held !== undefined);
    await answered(held, 1);
    await machine.succeed(old[1], "deactivate");
    await machine.succeed(next[1], "activate");
    const { pid } = await example.status();
    assert.equal(Deno.statSync(`/proc/${pid}`).uid, user.id);
  },
);
