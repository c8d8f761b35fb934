import { now } from "../../../lib/linux/clock.ts";
import { ask, drain, untilActive } from "../drain.ts";
import type { Figure, Numbers } from "../figures.ts";
import { memory } from "../processes.ts";
import type { Stage } from "../stage.ts";
import type { Standing } from "../standing.ts";
import type { Row } from "./row.ts";

/** How many connections there are. HAProxy has room for 8,000, see its configuration. */
const AMOUNTS = [1, 100, 1000, 7500];

/** How often something short is timed. */
const TIMES = 5;

const KIB = 1024;

/** What is measured with each of those amounts. */
const FIGURES: readonly Figure[] = [
  { of: "cpu", title: "µs CPU a request", better: "less" },
  { of: "memory", title: "KiB Pss in all", better: "less" },
  { of: "status", title: "ms for the status", better: "less", goal: { atMost: 5 } },
  { of: "list", title: "ms for a list of 20", better: "less", goal: { atMost: 5 } },
  { of: "drained", title: "ms from last close to drained", better: "less", goal: { atMost: 10 } },
];

/**
 * How what it takes grows with the number of connections: CPU and memory beside others, what is asked
 * of the proxy itself, and a drain.
 */
export const growth: Row = {
  name: "growth",
  whom: "proxies",
  figures: FIGURES.flatMap((figure) =>
    AMOUNTS.map((amount) => ({
      ...figure,
      of: `${figure.of} ${amount}`,
      title: `${figure.title}, ${amount} connections`,
    }))
  ),
  async measure(stage, contender, seconds) {
    const numbers: Record<string, number> = {};
    for (const amount of AMOUNTS) {
      if (amount > (contender.mostIdle ?? Infinity)) break;
      await using standing = await stage.start(contender);
      const { port, pid } = standing;
      const asking = { port, pid, connections: amount, seconds };
      const done = await stage.load.do("requests", asking);
      const isOurs = contender.kind === "ours";
      const grown = await idle(stage, standing, amount, isOurs);
      for (const [name, number] of Object.entries({ cpu: done.cpu / done.count, ...grown })) {
        numbers[`${name} ${amount}`] = number;
      }
    }
    return numbers;
  },
};

/**
 * What it is like while all of them are idle, and, of ours, what a drain takes from the close of the
 * last one on.
 */
async function idle(
  stage: Stage,
  standing: Standing,
  connections: number,
  isOurs: boolean,
): Promise<Numbers> {
  const { port } = standing;
  const last = await stage.otherLoad.begin("hold", { port, connections: 1 });
  await last.ready();
  const clients = await stage.load.begin("hold", { port, connections: connections - 1 });
  await clients.ready();
  const numbers: Record<string, number> = { memory: memory(standing.pid) / KIB };
  if (isOurs) {
    numbers["status"] = await shortest(() => ask(standing, "GET", "/v1/status"));
    const list = "/v1/connections?limit=20&sort=idle";
    numbers["list"] = await shortest(() => ask(standing, "GET", list));
  }
  const draining = isOurs ? drain(standing) : null;
  await draining?.begun;
  await clients.goOn();
  await clients.done();
  if (isOurs) await untilActive(standing, 1);
  await last.goOn();
  await draining?.done;
  const drainedAt = now();
  const { closedAt } = await last.done();
  if (isOurs) numbers["drained"] = drainedAt - closedAt;
  return numbers;
}

/** The shortest time of some, in milliseconds. */
async function shortest(work: () => Promise<unknown>): Promise<number> {
  let shortest = Infinity;
  for (let time = 0; time < TIMES; time++) {
    const begun = now();
    await work();
    shortest = Math.min(shortest, now() - begun);
  }
  return shortest;
}
