import process from "node:process";
import type { Status } from "../../../lib/control/api.ts";
import { ask } from "../drain.ts";
import type { Standing } from "../standing.ts";
import type { Row } from "./row.ts";

/** How many connections there are, all idle; as in the table of what grows. */
const AMOUNTS = [1, 1000, 7500];

/** What the log of a new process says of how long that was. */
const PAUSED = /Took over .*, paused for ([\d.]+)ms/;

/** For how long connections are not served while a new process takes over from the proxy. */
export const handover: Row = {
  name: "handover",
  whom: "ours",
  figures: AMOUNTS.map((amount) => ({
    of: `${amount}`,
    title: `ms frozen by an upgrade, ${amount} connections`,
    better: "less",
  })),
  async measure(stage, contender) {
    const numbers: Record<string, number> = {};
    for (const amount of AMOUNTS) {
      await using standing = await stage.start(contender);
      // Nothing can take over from another relay.
      if ((await status(standing)).relay !== "epoll") return {};
      const clients = await stage.load.begin("hold", { port: standing.port, connections: amount });
      await clients.ready();
      await ask(standing, "POST", "/v1/upgrade");
      const [, paused] = await standing.heard(PAUSED);
      numbers[`${amount}`] = Number(paused);
      await clients.goOn();
      await clients.done();
      // It is in a session of its own.
      process.kill((await status(standing)).pid, "SIGKILL");
    }
    return numbers;
  },
};

async function status(standing: Standing): Promise<Status> {
  return JSON.parse(await ask(standing, "GET", "/v1/status"));
}
