import { now } from "../../../lib/linux/clock.ts";
import { drain } from "../drain.ts";
import type { Row } from "./row.ts";

/** How many connections are closed, at the same time. */
const CONNECTIONS = 64;

/** From the close of the last connection to the line that tells of the drained proxy. */
export const drained: Row = {
  name: "drained",
  whom: "ours",
  figures: [{ of: "time", title: "ms from last close to drained", better: "less" }],
  async measure(stage, contender) {
    await using standing = await stage.start(contender);
    const clients = await stage.load.begin("hold", {
      port: standing.port,
      connections: CONNECTIONS,
    });
    await clients.ready();
    const draining = drain(standing);
    await draining.begun;
    await clients.goOn();
    await draining.done;
    const drainedAt = now();
    const { closedAt } = await clients.done();
    return { time: drainedAt - closedAt };
  },
};
