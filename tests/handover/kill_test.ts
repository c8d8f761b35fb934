import assert from "node:assert/strict";
import { formatAddress } from "../../lib/address.ts";
import { Service, unusedAddress } from "../relay/peer.ts";
import { pause } from "../relay/waiting.ts";
import { controlRequest } from "../support/control_request.ts";
import { type Running, start } from "../support/programs.ts";
import { TemporaryDirectory } from "../support/temporary.ts";
import { testWith } from "../support/tools.ts";
import { until } from "../support/until.ts";
import { Wire } from "./wire.ts";
import { whyNoTakeover } from "./why_not.ts";

/** How many takeovers are disturbed; `$KILLS` for more. */
const KILLS = Number(Deno.env.get("KILLS") ?? 20);
const WIRES = 8;

testWith(
  whyNoTakeover,
  `whoever is killed at whatever moment of ${KILLS} takeovers, one serves, or all see an end; no byte is wrong`,
  async () => {
    await using stack = new AsyncDisposableStack();
    const { path } = stack.use(await TemporaryDirectory.make());
    const service = stack.use(await Service.start());
    const address = await unusedAddress();
    const launch = (): Running =>
      stack.use(start("proxy", [
        formatAddress(address),
        formatAddress(service.address),
        `--runtime-dir=${path}/proxy`,
        "--log-format=json",
        "--threads=2",
      ]));
    const serving = (running: Running) => running.heard(/"event":"listen"/);

    let wires: Wire[] = [];
    const connectWires = async () => {
      while (wires.length < WIRES) {
        const wire = stack.use(await Wire.through(address, service, wires.length));
        for (const end of wire.ends) end.talk();
        wires.push(wire);
      }
    };
    /** All go on, or all come to an end; nothing wrong ever came. */
    const checkWires = async (goOn: boolean) => {
      for (const wire of wires) {
        const { client } = wire;
        const { heard } = client;
        await client.until(() => wire.isOver || goOn && client.heard > heard + 1_000_000, "more");
        assert.equal(wire.fault, null);
        assert.equal(wire.isOver, !goOn);
      }
      if (!goOn) wires = [];
    };

    let current = launch();
    await serving(current);
    await connectWires();
    const begun = performance.now();
    let next = launch();
    await serving(next);
    const usual = performance.now() - begun;
    await current.finished();
    current = next;
    await checkWires(true);

    const outcomes: Record<string, number> = {};
    for (let kill = 0; kill < KILLS; kill++) {
      next = launch();
      await pause(usual * (0.5 + 0.6 * Math.random()));
      const isGiver = Math.random() < 0.5;
      const [victim, other] = isGiver ? [current, next] : [next, current];
      victim.kill("SIGKILL");
      await victim.finished();
      const lives = await Promise.race([
        other.finished().then(() => false),
        isGiver ? serving(other).then(() => true, () => false) : answers(path, other.pid),
      ]);
      // Who had been given everything takes all with it; who was given nothing begins anew.
      if (isGiver) assert.ok(lives, other.stderr);
      const goOn = lives && (!isGiver || /"event":"taken_over"/.test(other.stderr));
      await checkWires(goOn);
      const what = `${isGiver ? "giver" : "receiver"} killed, ` +
        (lives ? `the other serves, clients ${goOn ? "go on" : "saw an end"}` : "nobody left");
      outcomes[what] = (outcomes[what] ?? 0) + 1;
      current = lives ? other : launch();
      await serving(current);
      const { pid } = await status(path);
      assert.equal(pid, current.pid);
      await connectWires();
    }
    for (const wire of wires) await wire.settle();
    for (const { fault } of wires) assert.equal(fault, null);
    if (Deno.env.has("KILLS")) {
      Deno.stdout.writeSync(new TextEncoder().encode(Deno.inspect(outcomes)));
    }
  },
);

async function status(path: string): Promise<{ pid: number }> {
  const { text } = await controlRequest(`${path}/proxy/control.sock`, "GET", "/v1/status");
  return JSON.parse(text);
}

/** Waits until this process answers for itself: it has not given anything away. */
async function answers(path: string, pid: number): Promise<true> {
  await until(() => status(path).catch(() => null), (seen) => seen?.pid === pid);
  return true;
}
