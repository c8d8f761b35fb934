import assert from "node:assert/strict";
import type { Peer } from "../../relay/peer.ts";
import { isLong, onlyForLong } from "../../support/long.ts";
import { testWith } from "../../support/tools.ts";
import { until } from "../../support/until.ts";
import { deploy, namesOf, story } from "./disnix.ts";
import { answered, Example } from "./example.ts";
import { Machine } from "./machine.ts";
import { pidFileOf, type Service } from "./service.ts";
import { PROCESS_TYPES, whyNot } from "./why_not.ts";

const no = whyNot("process");

/** For whom what each of them does is replayed: briefly for one. */
const TYPES = isLong ? PROCESS_TYPES : PROCESS_TYPES.slice(0, 1);

for (const type of TYPES) {
  testWith(
    onlyForLong ?? whyNot(type),
    `${type}: a proxy that does not start is rolled back, and who waits is served by the old`,
    async () => {
      await using machine = await Machine.start(type);
      await using example = new Example(machine);
      const before = await example.install();
      const after = await example.version(2, { args: ["--no-such-option"] });
      let held: Peer | undefined;
      const deployment = await deploy(machine, before, after, async () => {
        held = await example.client();
      });
      assert.deepEqual(namesOf(deployment).slice(3), [
        "activate server-v2",
        "activate proxy",
        "deactivate server-v2",
        "activate server-v1",
        "activate proxy",
        "unlock proxy",
      ], story(deployment));
      const codes = deployment.calls.map(({ code }) => code);
      assert.deepEqual(codes, [0, 0, 0, 0, 1, 0, 0, 0, 0], story(deployment));
      const { stderr } = deployment.calls[4]!;
      if (type === "systemd-unit") {
        assert.match(stderr, /journalctl -u nix-process-disnix-tcp-proxy-\d+$/m);
      } else {
        const [, log] = /The proxy has ended: see (\S+)$/m.exec(stderr) ?? [];
        assert.match(await Deno.readTextFile(log ?? stderr), /no-such-option/);
      }
      assert.ok(held !== undefined);
      await answered(held, 1);
    },
  );
}

for (const type of TYPES) {
  testWith(
    onlyForLong ?? whyNot(type),
    `${type}: a proxy that has upgraded itself is replaced as any other`,
    async () => {
      await using machine = await Machine.start(type);
      await using example = new Example(machine);
      const before = await example.install();
      await using upgrade = await machine.program("proxyctl", [
        ...["--runtime-dir", example.directory],
        "upgrade",
      ]);
      const upgraded = await upgrade.finished();
      assert.equal(upgraded.code, 0, upgraded.stderr);
      let held: Peer | undefined;
      const deployment = await deploy(machine, before, await example.version(2), async () => {
        held = await example.client();
      });
      assert.ok(deployment.succeeded, story(deployment));
      assert.ok(held !== undefined);
      await answered(held, 2);
    },
  );
}

testWith(
  onlyForLong ?? no,
  "a deployment that fails when the proxy has been replaced loses nobody",
  async () => {
    await using machine = await Machine.start();
    await using example = new Example(machine);
    const before = await example.install();
    const after = await example.version(2);
    // Of this type it has nothing to be called.
    const { component } = after[0];
    const broken: Service = { name: "broken", type: "wrapper", component, dependsOn: after };
    let held: Peer | undefined;
    const deployment = await deploy(machine, before, [...after, broken], async () => {
      held = await example.client();
    });
    assert.deepEqual(namesOf(deployment).slice(3), [
      "activate server-v2",
      "activate proxy",
      "activate broken",
      "deactivate proxy",
      "deactivate server-v2",
      "activate server-v1",
      "activate proxy",
      "unlock proxy",
    ], story(deployment));
    assert.ok(held !== undefined);
    await answered(held, 1);
  },
);

testWith(
  onlyForLong ?? no,
  "a proxy that is undeployed is parked, and its keeper ends by itself",
  async () => {
    await using machine = await Machine.start();
    await using example = new Example(machine);
    const before = await example.install({ parkTime: "500ms" });
    const deployment = await deploy(machine, before, []);
    assert.ok(deployment.succeeded, story(deployment));
    assert.deepEqual(namesOf(deployment), [
      "lock proxy",
      "deactivate proxy",
      "deactivate server-v1",
    ]);
    await until(() => example.keepers(), (keepers) => keepers.length === 0);
    const log = await Deno.readTextFile(`${example.directory}/keeper.log`);
    assert.match(log, /Ended: time over/);
  },
);

testWith(
  onlyForLong ?? no,
  "a proxy that was killed with its daemon, and left its PID file, is deployed",
  async () => {
    await using machine = await Machine.start();
    await using example = new Example(machine);
    const before = await example.install();
    const daemon = Number(await Deno.readTextFile(await pidFileOf(before[1])));
    const { pid } = await example.status();
    for (const victim of [daemon, pid]) {
      Deno.kill(victim, "SIGKILL");
      await until(() => isThere(victim), (isThere) => !isThere);
    }
    const deployment = await deploy(machine, before, await example.version(2));
    assert.ok(deployment.succeeded, story(deployment));
    assert.match(story(deployment), /Removing \S+\.pid: process \d+ is gone/);
    await example.served(2);
  },
);

testWith(
  onlyForLong ?? no,
  "a proxy whose daemon takes its time to end is started again",
  async () => {
    await using machine = await Machine.start();
    await using example = new Example(machine);
    // The daemon ends a while after the proxy, and removes its PID file only then.
    const slow = ["sh", "-c", '"$@" & trap "kill $!" TERM; wait; wait; sleep 1', "sh"];
    const [, proxy] = await example.install({ before: slow });
    for (const operation of ["lock", "deactivate", "activate", "unlock"]) {
      await machine.succeed(proxy, operation);
    }
    await example.served(1);
  },
);

testWith(
  onlyForLong ?? no,
  "a proxy that its process manager does not end is told to end by the wrapper",
  async () => {
    await using machine = await Machine.start();
    await using example = new Example(machine);
    // A shell that hears no signals, and passes none on.
    const deaf = ["sh", "-c", 'trap "" TERM; "$@" & wait', "sh"];
    const before = await example.install({ before: deaf });
    let held: Peer | undefined;
    const deployment = await deploy(machine, before, await example.version(2), async () => {
      held = await example.client();
    });
    assert.ok(deployment.succeeded, story(deployment));
    assert.match(story(deployment), /process \d+, which is told to end by this script/);
    assert.ok(held !== undefined);
    await answered(held, 2);
  },
);

testWith(onlyForLong ?? no, "a proxy that does not end makes its deactivation fail", async () => {
  await using machine = await Machine.start();
  await using example = new Example(machine);
  const [, proxy] = await example.install({ stopTimeout: "0s" });
  const { pid } = await example.status();
  Deno.kill(pid, "SIGSTOP");
  try {
    await using running = await machine.operate(proxy, "deactivate");
    const { code, stderr } = await running.finished();
    assert.equal(code, 1);
    assert.match(stderr, /The proxy does not end: see \S+\.log, end it by hand/);
  } finally {
    Deno.kill(pid, "SIGKILL");
  }
});

function isThere(pid: number): boolean {
  try {
    Deno.statSync(`/proc/${pid}`);
    return true;
  } catch {
    return false;
  }
}
