/**
 * Measures what clients feel of a deployment: `deno run --allow-all tests/nix/replay/measure.ts`.
 *
 * @module
 */

import assert from "node:assert/strict";
import { Crowd } from "./crowd.ts";
import { deploy, story } from "./disnix.ts";
import { Example, leave } from "./example.ts";
import { Machine } from "./machine.ts";
import { PROCESS_TYPES, whyNot } from "./why_not.ts";

const ROUNDS = 5;

for (const type of PROCESS_TYPES) {
  const why = whyNot(type);
  if (why !== null) {
    tell(`${type}: ${why}`);
    continue;
  }
  await using machine = await Machine.start(type);
  await using example = new Example(machine);
  let services = await example.install();
  const returns: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const client = await example.served(1);
    await using lock = await machine.operate(services[1], "lock");
    await example.until(({ state }) => state === "draining");
    await leave(client);
    const left = performance.now();
    assert.equal((await lock.finished()).code, 0);
    returns.push(performance.now() - left);
    await using unlock = await machine.operate(services[1], "unlock");
    await unlock.finished();
  }
  tell(`${type}: the lock returns after the last close: ${figures(returns)}`);
  const gaps: number[] = [];
  const waits: number[] = [];
  const steps = new Map<string, number[]>();
  for (let round = 0; round < ROUNDS; round++) {
    const crowd = new Crowd(example.address, 64);
    await crowd.visits(64);
    const next = await example.version(1);
    const deployment = await deploy(machine, services, next);
    assert.ok(deployment.succeeded, story(deployment));
    services = next;
    await crowd.visits(64);
    const { faults, longest } = await crowd.leave();
    assert.deepEqual(faults, []);
    const { calls } = deployment;
    for (const { operation, service, began, ended } of calls) {
      const step = `${operation} ${service.name}`;
      steps.set(step, [...steps.get(step) ?? [], ended - began]);
    }
    gaps.push((calls.at(-1)?.ended ?? 0) - (calls[1]?.began ?? 0));
    waits.push(longest);
  }
  tell(`${type}: deactivate to unlock: ${figures(gaps)}`);
  tell(`${type}: the longest that a client waits: ${figures(waits)}`);
  for (const [step, times] of steps) tell(`${type}:   ${step}: ${figures(times)}`);
}

function figures(times: readonly number[]): string {
  const sorted = times.toSorted((a, b) => a - b);
  const [least = 0, middle = 0, most = 0] = [0, sorted.length >> 1, -1].map((i) => sorted.at(i));
  return `median ${Math.round(middle)} ms (${Math.round(least)} to ${Math.round(most)})`;
}

function tell(line: string): void {
  // deno-lint-ignore no-console
  console.log(line);
}
