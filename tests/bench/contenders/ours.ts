import { commandOf } from "../../support/programs.ts";
import type { Contender } from "./contender.ts";

/** Where in its directory a proxy of ours has its control socket. */
export const CONTROL_SOCKET = "run/control.sock";

/** Our proxy, with one of its relays. */
export function ours(relay: "epoll" | "portable"): Contender {
  return {
    name: relay,
    kind: "ours",
    version: [...commandOf("proxy"), "--version"],
    prepare: ({ port, upstreamPort, directory }) =>
      Promise.resolve([
        ...commandOf("proxy"),
        `--relay=${relay}`,
        `--runtime-dir=${directory}/run`,
        "--log-format=text",
        `127.0.0.1:${port}`,
        `127.0.0.1:${upstreamPort}`,
      ]),
  };
}
