import type { Figure } from "../figures.ts";
import type { Row } from "./row.ts";

/** How many connections ask at the same time. */
const AMOUNTS = [1, 64];

/** How much longer a small message and its echo take than without a proxy. */
export const latency: Row = {
  name: "latency",
  whom: "all",
  figures: AMOUNTS.flatMap((amount) =>
    ["p50", "p99"].flatMap((share): Figure[] => {
      const of = `${share} of ${amount}`;
      const title = `µs added, ${amount} at a time, ${share}`;
      return [
        { of, title, better: "less", added: true },
        {
          of,
          title: `${title}, best turn`,
          better: "less",
          added: true,
          turn: "best",
          goal: { ratio: 1 },
        },
      ];
    })
  ),
  async measure(stage, contender, seconds) {
    const target = await stage.target(contender);
    const numbers: Record<string, number> = {};
    for (const connections of AMOUNTS) {
      const half = { ...target, connections, seconds: seconds / AMOUNTS.length };
      const { p50, p99 } = await stage.load.do("requests", half);
      numbers[`p50 of ${connections}`] = p50;
      numbers[`p99 of ${connections}`] = p99;
    }
    return numbers;
  },
};
