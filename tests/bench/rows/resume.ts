import { now } from "../../../lib/linux/clock.ts";
import { freePort } from "../../support/free_port.ts";
import { webServer } from "../contenders/nginx.ts";
import { drain, resume as resumeProxy, untilQueued } from "../drain.ts";
import { answering, watchEnd } from "../standing.ts";
import type { Row } from "./row.ts";

/** How many clients are held. */
const CLIENTS = 1000;

const REQUEST = "GET / HTTP/1.0\r\n\r\n";

/**
 * From the request to resume to the answer that the last of the held clients gets, from an nginx
 * behind the proxy, which makes it a small one.
 */
export const resume: Row = {
  name: "resume",
  whom: "ours",
  figures: [
    {
      of: "time",
      title: `ms to serve ${CLIENTS} held clients`,
      better: "less",
      goal: { atMost: 150 },
    },
  ],
  async measure(stage, contender) {
    const port = freePort();
    await using service = stage.run(await webServer(port, await stage.directory()));
    await answering(port, watchEnd(service), REQUEST);
    await using standing = await stage.start(contender, port);
    await drain(standing).done;
    const task = { port: standing.port, connections: CLIENTS, request: REQUEST };
    const clients = await stage.load.begin("held", task);
    await clients.ready();
    await untilQueued(standing, CLIENTS);
    const resumedAt = now();
    await resumeProxy(standing);
    const { servedAt } = await clients.done();
    return { time: servedAt - resumedAt };
  },
};
