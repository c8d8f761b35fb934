import type { Contender } from "./contender.ts";

/** socat, with a process for each connection. */
export const socat: Contender = {
  name: "socat",
  kind: "peer",
  version: ["socat", "-V"],
  // Thousands of processes take long to start.
  mostIdle: 1000,
  prepare: ({ port, upstreamPort }) =>
    Promise.resolve([
      "socat",
      `TCP-LISTEN:${port},bind=127.0.0.1,fork,reuseaddr,backlog=4096,nodelay`,
      `TCP:127.0.0.1:${upstreamPort},nodelay`,
    ]),
};
