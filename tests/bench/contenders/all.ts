import type { Contender } from "./contender.ts";
import { haproxy } from "./haproxy.ts";
import { nginx } from "./nginx.ts";
import { ours } from "./ours.ts";
import { socat } from "./socat.ts";
import { socketProxyd } from "./socket_proxyd.ts";

/** No proxy at all: the limit. */
export const direct: Contender = {
  name: "direct",
  kind: "direct",
  version: [],
  prepare: () => Promise.reject(new Error("nothing is to be started")),
};

/** All that is measured side by side. */
export const CONTENDERS: readonly Contender[] = [
  direct,
  ours("epoll"),
  ours("portable"),
  haproxy,
  nginx,
  socketProxyd,
  socat,
];
