import assert from "node:assert/strict";
import type { Address } from "../../../lib/address.ts";
import { onlyForLong } from "../../support/long.ts";
import { testWith } from "../../support/tools.ts";
import { until } from "../../support/until.ts";
import { answered, answerOf, Example } from "./example.ts";
import { Machine } from "./machine.ts";
import { whyNot } from "./why_not.ts";

const no = whyNot("systemd-unit");

async function systemctl(machine: Machine, ...args: string[]): Promise<string> {
  await using running = await machine.run(["systemctl", ...args]);
  const { stdout, stderr } = await running.finished();
  assert.equal(stderr, "");
  return stdout.trim();
}

async function isListening({ host, port }: Address): Promise<boolean> {
  try {
    (await Deno.connect({ hostname: host, port })).close();
    return true;
  } catch {
    return false;
  }
}

function unitOf({ address }: Example): string {
  return `nix-process-disnix-tcp-proxy-${address.port}.service`;
}

testWith(
  onlyForLong ?? no,
  "a reload replaces the process of the unit, and its connections go on",
  async () => {
    await using machine = await Machine.start("systemd-unit");
    await using example = new Example(machine);
    await example.install();
    const unit = unitOf(example);
    const client = await example.served(1);
    const { pid } = await example.status();
    assert.equal(await systemctl(machine, "show", "--property=MainPID", unit), `MainPID=${pid}`);
    await systemctl(machine, "reload", unit);
    const after = await example.status();
    assert.notEqual(after.pid, pid);
    assert.equal(
      await systemctl(machine, "show", "--property=MainPID,ActiveState", unit),
      `MainPID=${after.pid}\nActiveState=active`,
    );
    await client.send("hello\n");
    await answered(client, 1);
  },
);

testWith(
  onlyForLong ?? no,
  "a unit that was reloaded lets its clients finish when it is stopped",
  async () => {
    await using machine = await Machine.start("systemd-unit");
    await using example = new Example(machine);
    await example.install({ args: ["--stop-timeout", "30s"], stopTimeout: "30s" });
    const unit = unitOf(example);
    const client = await example.served(1);
    await systemctl(machine, "reload", unit);
    const { pid } = await example.status();
    const stopping = systemctl(machine, "stop", unit);
    await until(() => isListening(example.address), (is) => !is);
    await client.send("hello\nquit\n");
    client.finish();
    assert.equal(await client.rest(), answerOf(1));
    await stopping;
    assert.equal(await Deno.stat(`/proc/${pid}`).catch(() => null), null);
    assert.equal(await systemctl(machine, "show", "--property=Result", unit), "Result=success");
  },
);

testWith(
  onlyForLong ?? no,
  "a unit that is stopped takes nothing with it that waits for the next",
  async () => {
    await using machine = await Machine.start("systemd-unit");
    await using example = new Example(machine);
    const [, proxy] = await example.install();
    const unit = unitOf(example);
    await machine.succeed(proxy, "lock");
    const early = await example.client();
    await machine.succeed(proxy, "deactivate");
    // Its file is gone as well, and so is all that systemd knew of it.
    assert.equal(
      await systemctl(machine, "show", "--property=ActiveState", unit),
      "ActiveState=inactive",
    );
    const late = await example.client();
    const { pid, keeper, queued } = await example.status();
    assert.deepEqual([pid, queued], [keeper, 2]);
    await machine.succeed(proxy, "activate");
    await machine.succeed(proxy, "unlock");
    await answered(early, 1);
    await answered(late, 1);
  },
);
