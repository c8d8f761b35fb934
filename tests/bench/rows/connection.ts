import type { Row } from "./row.ts";

/** Connections that are made, asked once, and closed. */
export const connection: Row = {
  name: "connection",
  whom: "all",
  figures: [
    { of: "cpu", title: "µs CPU a connection", better: "less", goal: { ratio: 1 } },
    { of: "user", title: "µs of that in user space", better: "less" },
    { of: "rate", title: "connections/s", better: "more" },
  ],
  async measure(stage, contender, seconds) {
    const target = await stage.target(contender);
    const done = await stage.load.do("connections", { ...target, connections: 32, seconds });
    return {
      cpu: done.cpu / done.count,
      user: (done.cpu - done.system) / done.count,
      rate: done.count / done.seconds,
    };
  },
};
