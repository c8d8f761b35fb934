/**
 * What live connections see when the proxy under them is replaced, and HAProxy under the same ones:
 * `deno run -A tests/handover/measure.ts [ROUNDS]`.
 *
 * Of 1,000 connections 200 stream all the time; the pause of each is the longest time in which its
 * client heard nothing. Then as many idle ones as there are descriptors for, up to 10,000, are moved.
 *
 * @module
 */

import { Service } from "../relay/peer.ts";
import { pause } from "../relay/waiting.ts";
import { isThere } from "../support/tools.ts";
import { Lineage } from "./lineage.ts";
import { haproxy, ours, type Replaced } from "./replaced.ts";
import { Wire } from "./wire.ts";

/** How many connections there are, and how many of them stream. */
const CONNECTIONS = 1000;
const STREAMING = 200;
/** How often a streaming connection says something, in milliseconds, and how much. */
const BEAT = 5;
const BYTES = 1000;
const IDLE = 10_000;

const rounds = Number(Deno.args[0] ?? 5);
say(`${CONNECTIONS} connections, ${STREAMING} streaming; each line is one replacement`);
await replaceUnderLoad("ours", ours);
if (isThere("haproxy")) {
  await replaceUnderLoad("haproxy", (service) => haproxy(service, null));
  await replaceUnderLoad("haproxy, hard-stop-after 1s", (service) => haproxy(service, "1s"));
} else {
  say("haproxy is not installed");
}
await moveIdle();
Deno.exit(0);

async function replaceUnderLoad(
  what: string,
  start: (service: Service) => Promise<Replaced>,
): Promise<void> {
  await using service = await Service.start();
  await using replaced = await start(service);
  let wires: Wire[] = [];
  let beat: ReturnType<typeof setInterval> | undefined;
  for (let round = 0; round < rounds; round++) {
    while (wires.length < CONNECTIONS) {
      wires.push(await Wire.through(replaced.address, service, wires.length));
    }
    const streams = wires.slice(0, STREAMING);
    clearInterval(beat);
    beat = setInterval(() => {
      for (const { service } of streams) service.say(BYTES);
    }, BEAT);
    const usual = await gaps(streams, () => pause(1000));
    let gone: number | null = null;
    const paused = await gaps(streams, async () => {
      gone = await replaced.replace();
    });
    // What was cut is heard of a little later.
    await pause(200);
    const cut = wires.filter(({ isOver }) => isOver);
    for (const wire of cut) wire[Symbol.dispose]();
    wires = wires.filter(({ isOver }) => !isOver);
    for (const { fault } of wires) if (fault !== null) throw new Error(fault);
    say(
      `  ${what}: longest pause p50 ${at(paused, 0.5)}, p99 ${at(paused, 0.99)} ms (without a ` +
        `replacement ${at(usual, 0.5)}, ${at(usual, 0.99)}); ${cut.length} cut; old process ` +
        (gone === null ? "stays with its connections" : `gone after ${Math.round(gone)} ms`),
    );
  }
  clearInterval(beat);
  for (const wire of wires) wire[Symbol.dispose]();
}

async function moveIdle(): Promise<void> {
  await using service = await Service.start();
  await using lineage = await Lineage.found(service.address);
  const { maxConnections = IDLE } = lineage.proxy.log("listen")[0] as { maxConnections?: number };
  const wires: Wire[] = [];
  while (wires.length < Math.min(IDLE, maxConnections)) {
    wires.push(await Wire.through(lineage.address, service, wires.length));
  }
  say(`${wires.length} idle connections; each line is one takeover`);
  for (let round = 0; round < rounds; round++) {
    await lineage.replace(service.address);
    const [taken] = lineage.proxy.log("taken_over");
    say(`  ours: paused for ${Number(taken?.["pausedMilliseconds"])} ms`);
  }
  for (const wire of wires) wire[Symbol.dispose]();
}

/** The longest gap of each while something happens, in order. */
async function gaps(wires: readonly Wire[], happens: () => Promise<void>): Promise<number[]> {
  for (const { client } of wires) client.listenClosely();
  await happens();
  return wires.map(({ client }) => client.longestGap).sort((one, other) => one - other);
}

function at(sorted: readonly number[], share: number): string {
  return (sorted[Math.floor(share * (sorted.length - 1))] ?? NaN).toFixed(1);
}

function say(line: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${line}\n`));
}
