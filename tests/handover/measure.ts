/**
 * How long a takeover pauses live connections: `deno run -A tests/handover/measure.ts [ROUNDS]`.
 *
 * Of 1,000 connections 200 stream all the time; the pause of each is the longest time in which its
 * client heard nothing. Then as many idle ones as there are descriptors for, up to 10,000, are moved.
 *
 * @module
 */

import { Service } from "../relay/peer.ts";
import { Lineage } from "./lineage.ts";
import { Wire } from "./wire.ts";

/** How often a streaming connection says something, in milliseconds, and how much. */
const BEAT = 5;
const BYTES = 1000;

const rounds = Number(Deno.args[0] ?? 5);
await measure("1,000 connections, 200 streaming", 800, 200);
await measure("10,000 idle connections", 10_000, 0);
Deno.exit(0);

async function measure(what: string, idle: number, streaming: number): Promise<void> {
  await using service = await Service.start();
  await using lineage = await Lineage.found(service.address);
  const { maxConnections = Infinity } = lineage.proxy.log("listen")[0] as {
    maxConnections?: number;
  };
  const count = Math.min(idle + streaming, maxConnections);
  const wires: Wire[] = [];
  while (wires.length < count) {
    wires.push(await Wire.through(lineage.address, service, wires.length));
  }
  const streams = wires.slice(0, streaming);
  const beat = setInterval(() => {
    for (const { service } of streams) service.say(BYTES);
  }, BEAT);
  say(`${what} (${count} there are)`);
  for (let round = 0; round < rounds; round++) {
    const usual = await gaps(streams, () => new Promise((resolve) => setTimeout(resolve, 1000)));
    let exit = 0;
    const paused = await gaps(streams, async () => {
      const before = await lineage.succeed(service.address);
      const handedOver = await before.logged("handed_over");
      await before.process.finished();
      exit = Date.now() - Date.parse(`${handedOver["@timestamp"] ?? handedOver["time"]}`);
    });
    const [taken] = lineage.proxy.log("taken_over");
    const told = Number(taken?.["paused"]).toFixed(1);
    say(
      `  relay ${told} ms, old process gone ${exit} ms after the commit` +
        (streaming === 0 ? "" : `; gaps p50 ${at(paused, 0.5)}, p99 ${at(paused, 0.99)} ms ` +
          `(without a takeover: ${at(usual, 0.5)}, ${at(usual, 0.99)} ms)`),
    );
  }
  clearInterval(beat);
  for (const { fault } of wires) if (fault !== null) throw new Error(fault);
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
