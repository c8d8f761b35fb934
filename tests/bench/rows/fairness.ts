import type { Figure } from "../figures.ts";
import type { Row } from "./row.ts";

const CONNECTIONS = 1000;
/** Messages a second, over all connections: about a tenth of what the fastest can do. */
const PER_SECOND = 5000;
/** Downloads that are in the way. */
const STREAMS = 4;

/** How long a small message and its echo take on many connections, alone and beside downloads. */
export const fairness: Row = {
  name: "fairness",
  whom: "all",
  figures: ["alone", `with ${STREAMS} downloads`].flatMap((beside) =>
    ["p50", "p99"].map((share): Figure => ({
      of: `${share} ${beside}`,
      title: `µs a ping of ${CONNECTIONS}, ${beside}, ${share}`,
      better: "less",
    }))
  ),
  async measure(stage, contender, seconds) {
    const target = await stage.target(contender);
    const pings = await stage.load.begin("pings", {
      ...target,
      connections: CONNECTIONS,
      perSecond: PER_SECOND,
      seconds: seconds / 2,
    });
    await pings.ready();
    const downloads = await stage.otherLoad.begin("bulk", {
      ...target,
      connections: STREAMS,
      want: "download",
      // Until it is told to stop.
      seconds: 1000,
    });
    try {
      await downloads.ready();
      await pings.goOn();
      const { before, after } = await pings.done();
      return {
        "p50 alone": before.p50,
        "p99 alone": before.p99,
        [`p50 with ${STREAMS} downloads`]: after.p50,
        [`p99 with ${STREAMS} downloads`]: after.p99,
      };
    } finally {
      await downloads.goOn();
      await downloads.done();
    }
  },
};
