import type { Contender } from "./contender.ts";

/** HAProxy with one thread, and room for the connections of every row. */
export const haproxy: Contender = {
  name: "haproxy",
  kind: "peer",
  version: ["haproxy", "-v"],
  async prepare({ port, upstreamPort, directory }) {
    const path = `${directory}/haproxy.cfg`;
    await Deno.writeTextFile(
      path,
      `global
  nbthread 1
  maxconn 8000
defaults
  mode tcp
  timeout connect 10s
  timeout client 1h
  timeout server 1h
listen bench
  bind 127.0.0.1:${port} backlog 4096
  server service 127.0.0.1:${upstreamPort}
`,
    );
    return ["haproxy", "-db", "-q", "-f", path];
  },
};
