/**
 * What is measured side by side: each starts in front of the same service.
 *
 * @module
 */

import { createServer } from "node:net";
import { Running, start } from "../support/programs.ts";

/** Something that carries connections to the service. */
export interface Peer extends AsyncDisposable {
  readonly name: string;
  readonly port: number;
  /** The processes whose CPU time is counted. */
  readonly pids: readonly number[];
}

/** Starts a peer in front of a port, with files in a directory; `null` if it is not installed. */
export type StartPeer = (upstreamPort: number, directory: string) => Promise<Peer | null>;

/** Every peer, ours first. */
export const PEERS: Record<string, StartPeer> = {
  "disnix-tcp-proxy": async (upstreamPort, directory) => {
    const proxy = start("proxy", [
      "--runtime-dir",
      `${directory}/run`,
      "--log-format",
      "text",
      "127.0.0.1:0",
      `127.0.0.1:${upstreamPort}`,
    ]);
    const [, port] = await proxy.heard(/Listening on 127\.0\.0\.1:(\d+)/);
    return peer("disnix-tcp-proxy", Number(port), proxy);
  },
  haproxy: async (upstreamPort, directory) => {
    const port = await freePort();
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
  bind 127.0.0.1:${port}
  server service 127.0.0.1:${upstreamPort}
`,
    );
    return await startIfInstalled("haproxy", port, ["haproxy", "-db", "-q", "-f", path]);
  },
  nginx: async (upstreamPort, directory) => {
    const port = await freePort();
    const path = `${directory}/nginx.conf`;
    const module = "/usr/lib/nginx/modules/ngx_stream_module.so";
    if (await Deno.stat(module).catch(() => null) === null) return null;
    await Deno.writeTextFile(
      path,
      `load_module ${module};
daemon off;
master_process off;
pid ${directory}/nginx.pid;
error_log stderr error;
worker_rlimit_nofile 20000;
events { worker_connections 10000; }
stream { server { listen 127.0.0.1:${port} backlog=4096; proxy_pass 127.0.0.1:${upstreamPort}; } }
`,
    );
    return await startIfInstalled("nginx", port, ["nginx", "-e", "stderr", "-c", path]);
  },
};

async function startIfInstalled(
  name: string,
  port: number,
  command: readonly string[],
): Promise<Peer | null> {
  let running: Running;
  try {
    running = new Running(command);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return null;
    throw error;
  }
  await answering(port);
  return peer(name, port, running);
}

function peer(name: string, port: number, running: Running): Peer {
  return {
    name,
    port,
    pids: [running.pid],
    [Symbol.asyncDispose]: () => running[Symbol.asyncDispose](),
  };
}

/** A port that was free a moment ago: these peers cannot choose one and say which. */
function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen({ port: 0, host: "127.0.0.1" }, () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });
}

async function answering(port: number): Promise<void> {
  for (let tries = 0; tries < 100; tries++) {
    try {
      (await Deno.connect({ hostname: "127.0.0.1", port })).close();
      return;
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
  throw new Error(`Nothing answers on port ${port}`);
}
