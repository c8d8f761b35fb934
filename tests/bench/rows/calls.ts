import { countCalls } from "../calls.ts";
import type { Figure, Numbers } from "../figures.ts";
import type { Row } from "./row.ts";

/** What is done, and by how many connections at a time. */
const WORK = { requests: 64, connections: 32 } as const;

/**
 * System calls a request and a connection. Each is done for a short and for a longer time: what the
 * longer one took more has nothing of what is done once, as connecting at first.
 */
export const calls: Row = {
  name: "calls",
  whom: "proxies",
  figures: ["a request", "a connection"].map((of): Figure => ({
    of,
    title: `system calls ${of}`,
    better: "less",
  })),
  async measure(stage, contender, seconds) {
    await using standing = await stage.start(contender);
    const { port, pid } = standing;
    const numbers: Record<string, number> = {};
    for (const kind of ["requests", "connections"] as const) {
      const count = (seconds: number) =>
        countCalls(stage, standing, async () => {
          const task = { port, pid, connections: WORK[kind], seconds };
          return (await stage.load.do(kind, task)).total;
        });
      const short = await count(seconds / 2);
      const long = await count(2 * seconds);
      const name = kind === "requests" ? "a request" : "a connection";
      numbers[name] = (long.calls - short.calls) / (long.done - short.done);
    }
    return numbers satisfies Numbers;
  },
};
