import type { Contender } from "./contender.ts";

/**
 * HAProxy with one thread, room for the connections of every row, and splicing, which halves what a
 * GiB costs it.
 *
 * @param command the one to run
 */
export function haproxy(name = "haproxy", command = "haproxy"): Contender {
  return {
    name,
    kind: "peer",
    version: [command, "-v"],
    async prepare({ port, upstreamPort, directory }) {
      const path = `${directory}/haproxy.cfg`;
      await Deno.writeTextFile(
        path,
        `global
  nbthread 1
  maxconn 8000
  maxpipes 500
defaults
  mode tcp
  option splice-auto
  timeout connect 10s
  timeout client 1h
  timeout server 1h
listen bench
  bind 127.0.0.1:${port} backlog 4096
  server service 127.0.0.1:${upstreamPort}
`,
      );
      return [command, "-db", "-q", "-f", path];
    },
  };
}
