/**
 * `deno task bench`: speed, side by side with peers in the same run, in turns.
 *
 * @module
 */

import { program, run, value, wholeNumber } from "../../lib/command_line.ts";
import { table } from "../../lib/commands/output.ts";
import { Running } from "../support/programs.ts";
import { cpuTime } from "./cpu.ts";
import { connections, type Done, download, requests } from "./load.ts";
import { type Peer, PEERS } from "./peers.ts";

const GIB = 1024 ** 3;

/** A row of the result: what is done, and the CPU time that one unit of it takes. */
interface Row {
  readonly name: string;
  readonly unit: string;
  /** How many units a count of the load is. */
  readonly scale: number;
  readonly load: (port: number, seconds: number) => Promise<Done>;
}

const ROWS: readonly Row[] = [
  { name: "request", unit: "µs CPU", scale: 1, load: (port, s) => requests(port, 64, s) },
  { name: "connection", unit: "µs CPU", scale: 1, load: (port, s) => connections(port, 32, s) },
  { name: "GiB", unit: "µs CPU", scale: 1 / GIB, load: (port, s) => download(port, 4, s) },
];

async function bench(turns: number, seconds: number): Promise<void> {
  const directory = await Deno.makeTempDir();
  await using upstream = new Running([
    Deno.execPath(),
    "run",
    "--quiet",
    "--allow-net",
    new URL("upstream.ts", import.meta.url).pathname,
  ]);
  const peers: Peer[] = [];
  try {
    const [, port] = await upstream.heard(/port (\d+)/, "stdout");
    peers.push({
      name: "direct",
      port: Number(port),
      pids: [],
      [Symbol.asyncDispose]: async () => {},
    });
    for (const [name, startPeer] of Object.entries(PEERS)) {
      await Deno.mkdir(`${directory}/${name}`);
      const peer = await startPeer(Number(port), `${directory}/${name}`);
      if (peer !== null) peers.push(peer);
      else say(`${name} is not installed: skipped`);
    }
    for (const row of ROWS) {
      const costs = new Map(peers.map(({ name }) => [name, [] as number[]]));
      const rates = new Map(peers.map(({ name }) => [name, [] as number[]]));
      for (let turn = 0; turn < turns; turn++) {
        for (const { name, port, pids } of peers) {
          const before = cpuTime(pids);
          const { count, seconds: took } = await row.load(port, seconds);
          const units = count * row.scale;
          costs.get(name)?.push((cpuTime(pids) - before) / units);
          rates.get(name)?.push(units / took);
        }
      }
      show(row, peers, costs, rates);
    }
  } finally {
    for (const peer of peers) await peer[Symbol.asyncDispose]();
    await Deno.remove(directory, { recursive: true });
  }
}

function show(
  row: Row,
  peers: readonly Peer[],
  costs: Map<string, number[]>,
  rates: Map<string, number[]>,
): void {
  const others = peers.slice(2).map(({ name }) => median(costs.get(name)));
  const best = Math.min(...others);
  const lines = peers.map(({ name, pids }) => {
    const cost = median(costs.get(name));
    const rate = median(rates.get(name));
    const ratio = others.length === 0 ? "" : (cost / best).toFixed(2);
    return [
      name,
      rate >= 100 ? rate.toFixed(0) : rate.toFixed(2),
      pids.length === 0 ? "" : cost >= 100 ? cost.toFixed(0) : cost.toFixed(1),
      pids.length === 0 ? "" : ratio,
    ];
  });
  say(
    `${
      table([["", `${row.name}s/s`, `${row.unit} a ${row.name}`, "to the best peer"], ...lines])
    }\n`,
  );
}

function median(values: readonly number[] = []): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? NaN;
}

function say(text: string): void {
  // deno-lint-ignore no-console
  console.log(text);
}

if (import.meta.main) {
  await run("bench", async () => {
    const { turns, seconds } = program("bench")
      .description("Measures the proxy side by side with its peers.")
      .option(
        "--turns <n>",
        "how often each is measured; the median counts",
        value(wholeNumber(1)),
        5,
      )
      .option("--seconds <n>", "how long each time", value(wholeNumber(1)), 2)
      .parse(Deno.args, { from: "user" })
      .opts<{ turns: number; seconds: number }>();
    await bench(turns, seconds);
    return 0;
  });
}
