import type { Contender } from "./contender.ts";

/** nginx as a TCP proxy, with one process, and room for the connections of every row. */
export const nginx: Contender = {
  name: "nginx",
  kind: "peer",
  version: ["nginx", "-v"],
  async prepare({ port, upstreamPort, directory }) {
    return await command(
      directory,
      `stream { server { listen 127.0.0.1:${port} backlog=4096; ` +
        `proxy_pass 127.0.0.1:${upstreamPort}; } }`,
    );
  },
};

/** The command of an nginx that is a web server with a small answer, on a port of 127.0.0.1. */
export function webServer(port: number, directory: string): Promise<readonly string[]> {
  return command(
    directory,
    `http { access_log off; server { listen 127.0.0.1:${port} backlog=4096; ` +
      `location / { return 200 "Hello world!\\n"; } } }`,
  );
}

async function command(directory: string, servers: string): Promise<readonly string[]> {
  const path = `${directory}/nginx.conf`;
  await Deno.writeTextFile(
    path,
    `# Debian has this module in libnginx-mod-stream.
load_module /usr/lib/nginx/modules/ngx_stream_module.so;
daemon off;
master_process off;
pid ${directory}/nginx.pid;
error_log stderr error;
worker_rlimit_nofile 20000;
events { worker_connections 16000; }
${servers}
`,
  );
  return ["nginx", "-e", "stderr", "-c", path];
}
