import type { Row } from "./row.ts";

const GIB = 1024 ** 3;

/** Four streams as fast as they go: from the service to the clients. */
export const download = bulk("download");

/** Four streams as fast as they go: from the clients to the service. */
export const upload = bulk("upload");

function bulk(want: "download" | "upload"): Row {
  return {
    name: want,
    whom: "all",
    figures: [
      { of: "cpu", title: "ms CPU a GiB", better: "less", goal: { ratio: 0.75 } },
      { of: "user", title: "ms of that in user space", better: "less" },
      { of: "rate", title: "Gbit/s", better: "more" },
    ],
    async measure(stage, contender, seconds) {
      const target = await stage.target(contender);
      const done = await stage.load.do("bulk", { ...target, connections: 4, want, seconds });
      return {
        cpu: done.cpu / 1000 / (done.count / GIB),
        user: (done.cpu - done.system) / 1000 / (done.count / GIB),
        rate: 8 * done.count / done.seconds / 1e9,
      };
    },
  };
}
