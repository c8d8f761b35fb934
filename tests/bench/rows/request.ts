import type { Row } from "./row.ts";

/** Small messages on connections that stay. */
export const request: Row = {
  name: "request",
  whom: "all",
  figures: [
    { of: "cpu", title: "µs CPU a request", better: "less", goal: { ratio: 0.95 } },
    { of: "user", title: "µs of that in user space", better: "less" },
    { of: "rate", title: "requests/s", better: "more" },
  ],
  async measure(stage, contender, seconds) {
    const target = await stage.target(contender);
    const done = await stage.load.do("requests", { ...target, connections: 64, seconds });
    return {
      cpu: done.cpu / done.count,
      user: (done.cpu - done.system) / done.count,
      rate: done.count / done.seconds,
    };
  },
};
