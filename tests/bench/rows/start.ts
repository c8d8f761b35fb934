import type { Row } from "./row.ts";

/**
 * From the start of the process to the answer to its first client. That it listens would not say
 * much: for systemd-socket-proxyd another program does so, before it starts.
 */
export const start: Row = {
  name: "start",
  whom: "proxies",
  figures: [{ of: "time", title: "ms to the first answer", better: "less" }],
  async measure(stage, contender) {
    await using standing = await stage.start(contender);
    return { time: standing.startedIn };
  },
};
