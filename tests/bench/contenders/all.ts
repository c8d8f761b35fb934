import type { Contender } from "./contender.ts";
import { haproxy } from "./haproxy.ts";
import { nginx } from "./nginx.ts";
import { ours, oursOf } from "./ours.ts";
import { socat } from "./socat.ts";
import { socketProxyd } from "./socket_proxyd.ts";

/** No proxy at all: the limit. */
export const direct: Contender = {
  name: "direct",
  kind: "direct",
  version: [],
  prepare: () => Promise.reject(new Error("nothing is to be started")),
};

/**
 * All that is measured side by side.
 *
 * @param peers more than those that are installed, `NAME=PATH,…`: a HAProxy, or the directory of the
 *   sources of another version of ours
 * @throws {RangeError} when that is something else
 */
export function contenders(peers: string): readonly Contender[] {
  const all = [direct, ours("epoll"), ours("portable"), haproxy(), nginx, socketProxyd, socat];
  for (const peer of peers.split(",").filter((peer) => peer !== "")) {
    const [, name, path] = /^([\w.-]+)=(\/.*)$/.exec(peer) ?? [];
    if (name === undefined || path === undefined) {
      throw new RangeError(`"${peer}" is not NAME=PATH, as haproxy-3.2=/opt/haproxy/sbin/haproxy`);
    }
    if (all.some((one) => one.name === name)) {
      throw new RangeError(`There is a "${name}" already: give "${path}" another name`);
    }
    all.push(isDirectory(path) ? oursOf(name, path) : haproxy(name, path));
  }
  return all;
}

function isDirectory(path: string): boolean {
  try {
    return Deno.statSync(path).isDirectory;
  } catch {
    return false;
  }
}
