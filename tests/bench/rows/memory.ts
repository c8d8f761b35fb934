import { memory as memoryOf } from "../processes.ts";
import type { Row } from "./row.ts";

/** How many idle connections there are. */
const CONNECTIONS = 5000;
const KIB = 1024;
const MIB = KIB ** 2;

/** Memory (Pss) of a proxy that has just started, and how much it grows with idle connections. */
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
    const task = await stage.load.begin("hold", { port, connections });
    await task.ready();
    const held = memoryOf(pid);
    await task.goOn();
    await task.done();
    return { rest: rest / MIB, connection: (held - rest) / connections / KIB };
  },
};
