import { commandOf } from "../../support/programs.ts";
import type { Contender } from "./contender.ts";

/** Where in its directory a proxy of ours has its control socket. */
export const CONTROL_SOCKET = "run/control.sock";

/** Our proxy, with one of its relays. */
export function ours(relay: "epoll" | "portable"): Contender {
  return contender(relay, relay, commandOf("proxy"));
}

/** Our proxy of another version, with its epoll relay. @param sources the directory of its sources */
export function oursOf(name: string, sources: string): Contender {
  return contender(name, "epoll", commandOf("proxy", undefined, `${sources}/`));
}

function contender(
  name: string,
  relay: "epoll" | "portable",
  command: readonly string[],
): Contender {
  return {
    name,
    kind: "ours",
    version: [...command, "--version"],
    prepare: ({ port, upstreamPort, directory }) =>
      Promise.resolve([
        ...command,
        `--relay=${relay}`,
        `--runtime-dir=${directory}/run`,
        "--log-format=text",
        `127.0.0.1:${port}`,
        `127.0.0.1:${upstreamPort}`,
      ]),
  };
}
