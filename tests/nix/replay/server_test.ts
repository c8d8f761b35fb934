import assert from "node:assert/strict";
import { join } from "node:path";
import type { Peer } from "../../relay/peer.ts";
import { freePort } from "../../support/free_port.ts";
import { isLong, onlyForLong } from "../../support/long.ts";
import { testWith } from "../../support/tools.ts";
import { until } from "../../support/until.ts";
import { deploy, story } from "./disnix.ts";
import { answered, Example } from "./example.ts";
import { Machine } from "./machine.ts";
import { pidFileOf } from "./service.ts";
import { PROCESS_TYPES, whyNot } from "./why_not.ts";

const no = whyNot("process");

/** For whom what each of them does is replayed: briefly for one. */
const TYPES = isLong ? PROCESS_TYPES : PROCESS_TYPES.slice(0, 1);

/** What stands before a program that starts once a file is there. */
function onceThereIs(file: string): string[] {
  return ["sh", "-c", 'until [ -e "$0" ]; do sleep 0.05; done; exec "$@"', file];
}

testWith(
  onlyForLong ?? no,
  "who waits is held until the new server listens, however long that takes",
  async () => {
    await using machine = await Machine.start();
    await using example = new Example(machine);
    const [oldServer, oldProxy] = await example.install();
    const gate = join(machine.directory, "gate");
    const port = freePort();
    const server = await example.server(2, port, { before: onceThereIs(gate) });
    const proxy = await example.proxy(server, port, { connectTimeout: "100ms" });
    await machine.succeed(oldProxy, "lock");
    const held = await example.client();
    await machine.succeed(oldProxy, "deactivate");
    await machine.succeed(oldServer, "deactivate");
    await machine.succeed(server, "activate");
    await machine.succeed(proxy, "activate");
    await using unlock = await machine.operate(proxy, "unlock");
    await unlock.heard(/Waiting for the upstream to answer/, "stderr");
    assert.equal((await example.status()).state, "drained");
    await Deno.writeTextFile(gate, "");
    const { code, stderr } = await unlock.finished();
    assert.equal(code, 0, stderr);
    await answered(held, 2);
  },
);

testWith(
  onlyForLong ?? no,
  "a server that never listens makes the unlock fail, and loses nobody",
  async () => {
    await using machine = await Machine.start();
    await using example = new Example(machine);
    const options = { connectTimeout: "100ms", waitUpstream: "200ms" };
    const before = await example.install(options);
    const gate = join(machine.directory, "gate");
    const port = freePort();
    const server = await example.server(2, port, { before: onceThereIs(gate) });
    const proxy = await example.proxy(server, port, options);
    let held: Peer | undefined;
    const deployment = await deploy(machine, before, [server, proxy], async () => {
      held = await example.client();
    });
    assert.deepEqual(
      deployment.calls.map(({ code }) => code),
      [0, 0, 0, 0, 0, 1],
      story(deployment),
    );
    const said = deployment.calls.at(-1)?.stderr ?? "";
    assert.match(said, /has not answered within 200ms\. Those who wait are held for what is left/);
    const { state, queued } = await example.status();
    assert.deepEqual([state, queued], ["drained", 1]);
    await Deno.writeTextFile(gate, "");
    // As it says, after the server has come up.
    const [, advice = ""] = /proxyctl (--runtime-dir \S+ resume --owner disnix)$/m.exec(said) ?? [];
    await using resume = await machine.program("proxyctl", [
      ...advice.split(" "),
      ...["--wait-upstream", "1m"],
    ]);
    const { code, stderr } = await resume.finished();
    assert.equal(code, 0, stderr);
    assert.ok(held !== undefined);
    await answered(held, 2);
  },
);

for (const type of TYPES.filter((type) => type !== "supervisord-program")) {
  testWith(
    onlyForLong ?? whyNot(type),
    `${type}: a server whose port is taken is rolled back, and who waits is served by the old`,
    async () => {
      await using machine = await Machine.start(type);
      await using example = new Example(machine);
      const before = await example.install();
      using other = Deno.listen({ hostname: "127.0.0.1", port: 0 });
      const { port } = other.addr;
      const server = await example.server(2, port, { portTimeout: "100ms" });
      let held: Peer | undefined;
      const after = [server, await example.proxy(server, port)];
      const deployment = await deploy(machine, before, after, async () => {
        held = await example.client();
      });
      assert.equal(deployment.succeeded, false);
      const { operation, service, stderr } = deployment.calls.find(({ code }) => code !== 0)!;
      assert.deepEqual([operation, service], ["activate", server], story(deployment));
      assert.match(stderr, type === "process" ? /port \d+ is still taken after 100ms/ : /failed/);
      assert.ok(held !== undefined);
      await answered(held, 1);
    },
  );
}

testWith(
  onlyForLong ?? no,
  "a server that was lost with its port makes the next one's activation fail",
  async () => {
    await using machine = await Machine.start();
    await using example = new Example(machine);
    const port = freePort();
    const before = await example.version(1, { portTimeout: "100ms" }, port);
    assert.ok((await deploy(machine, [], before)).succeeded);
    const file = await pidFileOf(before[0]);
    const daemon = (await Deno.readTextFile(file)).trim();
    const children = await Deno.readTextFile(`/proc/${daemon}/task/${daemon}/children`);
    const [orphan] = children.trim().split(" ").map(Number);
    assert.ok(orphan !== undefined);
    let held: Peer | undefined;
    const after = await example.version(2, { portTimeout: "100ms" }, port);
    try {
      Deno.kill(Number(daemon), "SIGKILL");
      await Deno.remove(file);
      const failed = await deploy(machine, before, after, async () => {
        held = await example.client();
      });
      assert.equal(failed.succeeded, false);
      assert.match(
        story(failed),
        new RegExp(`port ${port} is still taken after 100ms, perhaps by`),
      );
    } finally {
      Deno.kill(orphan, "SIGKILL");
    }
    await until(() => Deno.stat(`/proc/${orphan}`).catch(() => null), (found) => found === null);
    const again = await deploy(machine, before, after);
    assert.ok(again.succeeded, story(again));
    assert.ok(held !== undefined);
    await answered(held, 2);
  },
);
