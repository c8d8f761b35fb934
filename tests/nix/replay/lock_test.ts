import assert from "node:assert/strict";
import { onlyForLong } from "../../support/long.ts";
import { testWith } from "../../support/tools.ts";
import { until } from "../../support/until.ts";
import { deploy, namesOf, story } from "./disnix.ts";
import { answered, Example, leave } from "./example.ts";
import { lendInstalled } from "./installed.ts";
import { Machine } from "./machine.ts";
import { pidFileOf } from "./service.ts";
import { whyNot } from "./why_not.ts";

const no = whyNot("process");

testWith(
  onlyForLong ?? no,
  "a second deployer is refused while the first one holds, and unlocks nothing",
  async () => {
    await using machine = await Machine.start();
    await using example = new Example(machine);
    const before = await example.install({ waitUpstream: "1s" });
    const pidFile = await pidFileOf(before[0]);
    const after = await example.version(2);
    let waiting;
    const first = await deploy(machine, before, after, async () => {
      waiting = await example.client();
      // It need not wait for a server that the first one is replacing.
      await machine.succeed(before[0], "deactivate");
      await until(() => isThere(pidFile), (is) => !is);
      const second = await deploy(machine, before, after);
      assert.deepEqual(namesOf(second), ["lock proxy", "unlock proxy"]);
      assert.deepEqual(second.calls.map(({ code }) => code), [5, 0], story(second));
      assert.match(story(second), /drained by "disnix" \(deployment by Disnix\)/);
      assert.match(story(second), /port \d+: Not locked: somebody else has\. Wait until/);
      assert.equal((await example.status()).state, "drained");
    });
    assert.ok(first.succeeded, story(first));
    assert.ok(waiting !== undefined);
    await answered(waiting, 2);
  },
);

testWith(
  onlyForLong ?? no,
  "a second deployer is refused while the first one still waits",
  async () => {
    await using lent = await lendInstalled();
    const { machine, example, services: [server, proxy] } = lent;
    const client = await example.served(1);
    await using lock = await machine.operate(proxy, "lock");
    await example.until(({ state }) => state === "draining");
    const second = await deploy(machine, [server, proxy], await example.version(2));
    assert.deepEqual(second.calls.map(({ code }) => code), [5, 0], story(second));
    assert.equal((await example.status()).state, "draining");
    await leave(client);
    assert.equal((await lock.finished()).code, 0);
    assert.equal((await example.status()).state, "drained");
  },
);

testWith(no, "a lock that takes too long fails, and leaves everything as it was", async () => {
  await using machine = await Machine.start();
  await using example = new Example(machine);
  const before = await example.install({ drainTimeout: "300ms" });
  const early = await example.served(1);
  const { pid } = await example.status();
  const deployment = await deploy(machine, before, await example.version(2));
  assert.deepEqual(namesOf(deployment), ["lock proxy", "unlock proxy"]);
  assert.deepEqual(deployment.calls.map(({ code }) => code), [4, 0], story(deployment));
  assert.match(
    story(deployment),
    /Not locked: clients were still active after 300ms\. None was cut/,
  );
  const status = await example.status();
  assert.deepEqual([status.state, status.pid, status.active], ["open", pid, 1]);
  await early.send("hello\n");
  await answered(early, 1);
  const late = await example.served(1);
  await leave(late);
});

testWith(
  onlyForLong ?? no,
  "a lock that is ended by a signal is cancelled before it ends",
  async () => {
    await using lent = await lendInstalled();
    const { machine, example, services: [, proxy] } = lent;
    for (const [signal, code] of [["SIGTERM", 143], ["SIGINT", 130], ["SIGHUP", 129]] as const) {
      const active = await example.served(1);
      // Not Dysnomia's module, which would end without it.
      await using lock = await machine.run([`${proxy.component}/bin/wrapper`, "lock"]);
      await example.until(({ state }) => state === "draining");
      const held = await example.client();
      lock.kill(signal);
      const finished = await lock.finished();
      assert.equal(finished.code, code, `${signal}: ${finished.stderr}`);
      assert.match(finished.stderr, /The lock was cancelled; clients are served as before\n$/);
      await example.until(({ state }) => state === "open");
      await answered(held, 1);
      await active.send("hello\n");
      await answered(active, 1);
      await leave(held);
      await leave(active);
    }
  },
);

testWith(onlyForLong ?? no, "a lock that was never released ends with its lease", async () => {
  await using machine = await Machine.start();
  await using example = new Example(machine);
  const [, proxy] = await example.install({ lease: "500ms" });
  await using lock = await machine.operate(proxy, "lock");
  assert.equal((await lock.finished()).code, 0);
  const held = await example.client();
  await answered(held, 1);
});

testWith(no, "where no proxy runs, locking and unlocking succeed", async () => {
  await using machine = await Machine.start();
  await using example = new Example(machine);
  const [, proxy] = await example.version(1);
  for (const operation of ["lock", "unlock", "deactivate"]) {
    const { stderr } = await machine.succeed(proxy, operation);
    assert.match(stderr, /No proxy runs at/);
  }
});

testWith(
  onlyForLong ?? no,
  "where only a keeper is, locking and unlocking succeed and change nothing",
  async () => {
    await using lent = await lendInstalled();
    const { machine, example, services: [, proxy] } = lent;
    for (const operation of ["lock", "deactivate", "lock", "unlock", "deactivate"]) {
      await machine.succeed(proxy, operation);
    }
    const [keeper] = example.keepers();
    assert.ok(keeper !== undefined);
    assert.equal((await example.status()).pid, keeper);
  },
);

testWith(
  onlyForLong ?? no,
  "a proxy that dies while it is locked makes the lock fail",
  async () => {
    await using lent = await lendInstalled();
    const { machine, example, services: [, proxy] } = lent;
    await example.served(1);
    await using lock = await machine.operate(proxy, "lock");
    const status = await example.until(({ state }) => state === "draining");
    Deno.kill(status?.pid ?? 0, "SIGKILL");
    const { code, stderr } = await lock.finished();
    assert.equal(code, 9, stderr);
  },
);

function isThere(path: string): Promise<boolean> {
  return Deno.stat(path).then(() => true, () => false);
}
