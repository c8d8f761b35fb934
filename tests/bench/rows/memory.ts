import { memory as memoryOf } from "../processes.ts";
import type { Row } from "./row.ts";

/** How many idle connections there are. */
const CONNECTIONS = 5000;
const KIB = 1024;
const MIB = KIB ** 2;

/** How long a proxy works before it is measured how much idle connections take, in seconds. */
const WARM_UP = 2;

/**
 * Memory (Pss) of a proxy that has just started, and how much one that has worked for a while grows
 * with idle connections: what it takes only once, for code and buffers, is not theirs.
 */
export const memory: Row = {
  name: "memory",
  whom: "proxies",
  figures: [
    { of: "rest", title: "MiB Pss at rest", better: "less" },
    {
      of: "connection",
      title: "KiB Pss an idle connection",
      better: "less",
      goal: { atMost: 1 },
    },
  ],
  async measure(stage, contender) {
    await using standing = await stage.start(contender);
    const { port, pid } = standing;
    const connections = Math.min(CONNECTIONS, contender.mostIdle ?? CONNECTIONS);
    const rest = memoryOf(pid);
    for (const kind of ["connections", "requests"] as const) {
      await stage.load.do(kind, { port, pid, connections: 64, seconds: WARM_UP / 2 });
    }
    const before = memoryOf(pid);
    const task = await stage.load.begin("hold", { port, connections });
    await task.ready();
    const held = memoryOf(pid);
    await task.goOn();
    await task.done();
    return { rest: rest / MIB, connection: (held - before) / connections / KIB };
  },
};
