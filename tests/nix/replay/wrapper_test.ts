import assert from "node:assert/strict";
import { join } from "node:path";
import { onlyForLong } from "../../support/long.ts";
import { testWith, without } from "../../support/tools.ts";
import { Example, leave } from "./example.ts";
import { lendInstalled } from "./installed.ts";
import { Machine } from "./machine.ts";
import { whyNot } from "./why_not.ts";
import { pidFileOf } from "./service.ts";

const no = whyNot("process");

testWith(no, "operations that nobody knows succeed", async () => {
  await using machine = await Machine.start();
  await using example = new Example(machine);
  const [, proxy] = await example.version(1);
  for (const operation of ["snapshot", "restore", "collect-garbage", "whatever"]) {
    await using running = await machine.operate(proxy, operation);
    const { code, stdout, stderr } = await running.finished();
    assert.deepEqual([code, stdout, stderr], [0, "", ""], operation);
  }
});

testWith(onlyForLong ?? no, "what the module makes of an operation is passed on", async () => {
  await using machine = await Machine.start();
  await using example = new Example(machine);
  const [, proxy] = await example.version(1, { before: ["/no/such/program"] });
  await Deno.mkdir(`${machine.directory}/run`);
  await Deno.writeTextFile(await pidFileOf(proxy), "not a number");
  await using running = await machine.operate(proxy, "deactivate");
  const { code, stderr } = await running.finished();
  assert.equal(code, 1);
  assert.match(stderr, /on port \d+: Failed to deactivate the proxy, see above\n$/);
});

testWith(no ?? without("shellcheck"), "shellcheck finds nothing in the wrapper", async () => {
  await using machine = await Machine.start();
  await using example = new Example(machine);
  const [, { component }] = await example.version(1);
  const files = ["bin/wrapper", "libexec/wrapper"].map((name) => join(component, name));
  await using shellcheck = await machine.run(["shellcheck", ...files]);
  const { code, stdout } = await shellcheck.finished();
  assert.equal(code, 0, stdout);
});

testWith(onlyForLong ?? no, "the wrapper finds its component through links", async () => {
  await using machine = await Machine.start();
  await using example = new Example(machine);
  const [, proxy] = await example.version(1);
  const link = join(machine.directory, "result");
  await Deno.symlink(proxy.component, link);
  for (const operation of ["activate", "deactivate"]) {
    await machine.succeed({ ...proxy, component: link }, operation);
  }
});

testWith(
  onlyForLong ?? no,
  "the wrapper needs nothing of the directory that it is called in",
  async () => {
    await using lent = await lendInstalled();
    const { machine, example, services: [, proxy] } = lent;
    const wrapper = join(proxy.component, "bin/wrapper");
    for (const [operation, state] of [["lock", "drained"], ["unlock", "open"]] as const) {
      const gone = 'mkdir gone && cd gone && rmdir ../gone && exec "$@"';
      await using running = await machine.run(["sh", "-c", gone, "sh", wrapper, operation]);
      const { code, stderr } = await running.finished();
      assert.equal(code, 0, stderr);
      assert.equal((await example.status()).state, state);
    }
  },
);

testWith(
  onlyForLong ?? no,
  "two proxies on one machine are locked and replaced each by itself",
  async () => {
    await using machine = await Machine.start();
    await using one = new Example(machine, "one");
    await using other = new Example(machine, "other");
    const [, proxy] = await one.install();
    await other.install();
    const { pid } = await other.status();
    for (const operation of ["lock", "deactivate", "activate", "unlock"]) {
      await machine.succeed(proxy, operation);
      const client = await other.served(1);
      const status = await other.status();
      assert.deepEqual([status.state, status.pid], ["open", pid]);
      await leave(client);
    }
  },
);

testWith(no, "a proxy that is open is not parked when it is stopped", async () => {
  await using lent = await lendInstalled();
  const { machine, example, services: [, proxy] } = lent;
  await machine.succeed(proxy, "deactivate");
  assert.deepEqual(example.keepers(), []);
});
