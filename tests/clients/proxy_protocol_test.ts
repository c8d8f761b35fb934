import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { Peer } from "../relay/peer.ts";
import { freePort } from "../support/free_port.ts";
import { Proxy } from "../support/proxy.ts";
import { TemporaryDirectory } from "../support/temporary.ts";
import { whyNoRelay } from "../support/why_no_relay.ts";
import { testWith, without } from "../support/tools.ts";
import { nginxConfiguration } from "./nginx.ts";
import { Daemon } from "./service.ts";

const STREAM = "/usr/lib/nginx/modules/ngx_stream_module.so";
const noStream = existsSync(STREAM) ? null : "no stream module of nginx";

/** Where one of the others listens, and whom it passes on to. */
interface Place {
  readonly port: number;
  readonly to?: number;
}

/** nginx as a service that says who its client is, and as one that stands before others. */
function nginx(service: Place, v1: Place): string {
  return nginxConfiguration({
    first: `load_module ${STREAM};`,
    http: `server {
        listen 127.0.0.1:${service.port} proxy_protocol;
        return 200 "$proxy_protocol_addr:$proxy_protocol_port\\n";
      }`,
    last: `stream {
      server {
        listen 127.0.0.1:${v1.port};
        proxy_pass 127.0.0.1:${v1.to};
        proxy_protocol on;
      }
    }`,
  });
}

/** HAProxy likewise: it answers by itself. */
function haproxy(service: Place, v1: Place, v2: Place): string {
  const before = (name: string, { port, to }: Place, option: string) => `
listen ${name}
  bind 127.0.0.1:${port}
  server proxy 127.0.0.1:${to} ${option}`;
  return `
defaults
  mode tcp
  timeout connect 10s
  timeout client 1h
  timeout server 1h
frontend service
  mode http
  bind 127.0.0.1:${service.port} accept-proxy
  http-request return status 200 content-type text/plain lf-string %ci:%cp
${before("v1", v1, "send-proxy")}
${before("v2", v2, "send-proxy-v2")}
`;
}

/** What the service behind an address takes its client for; asked twice, over one connection. */
async function asked(port: number, times = 2): Promise<{ client: Peer; told: string }> {
  const client = await Peer.connect({ host: "127.0.0.1", port });
  let told = "";
  for (let count = 0; count < times; count++) {
    await client.send("GET / HTTP/1.1\r\nHost: here\r\n\r\n");
    told = await answer(client);
  }
  return { client, told };
}

async function answer(client: Peer): Promise<string> {
  let head = "";
  while (!head.endsWith("\r\n\r\n")) head += await client.read(1);
  const [, length] = /^content-length: (\d+)/im.exec(head) ?? [];
  return (await client.read(Number(length))).trim();
}

for (const relay of ["epoll", "portable"] as const) {
  testWith(
    without("nginx", "haproxy") ?? noStream ?? whyNoRelay(relay),
    `${relay}: nginx and HAProxy, before the proxy and behind it, are told who the client is`,
    async () => {
      await using temporary = await TemporaryDirectory.make();
      const ports = Array.from({ length: 6 }, freePort) as [number, ...number[]];
      const [nginxPort, nginxV1, haproxyPort, haproxyV1 = 0, haproxyV2 = 0] = ports;
      const files = { nginx: `${temporary.path}/nginx.conf`, haproxy: `${temporary.path}/ha.cfg` };
      const upstream = { host: "127.0.0.1", port: nginxPort };
      // Who stands before it is of a network, and we are not.
      await using proxy = await Proxy.start(upstream, {
        args: [
          ...["--accept-proxy", "127.0.0.1", "--send-proxy", "v1", "--suspend-quiet", "30ms"],
          ...["--relay", relay],
        ],
      });
      const to = proxy.address.port;
      await Deno.writeTextFile(
        files.nginx,
        nginx({ port: nginxPort }, { port: nginxV1 as number, to }),
      );
      await Deno.writeTextFile(
        files.haproxy,
        haproxy(
          { port: haproxyPort as number },
          { port: haproxyV1, to },
          { port: haproxyV2, to },
        ),
      );
      await using behind = new Daemon(nginxPort);
      await using other = new Daemon(haproxyPort as number);
      await behind.start("nginx", "-p", temporary.path, "-c", files.nginx, "-e", "stderr");
      await other.start("haproxy", "-db", "-q", "-f", files.haproxy);
      const fronts = [nginxV1 as number, haproxyV1, haproxyV2];
      const clients: Peer[] = [];
      for (const front of fronts) {
        const { client, told } = await asked(front);
        assert.equal(told, client.name);
        clients.push(client);
      }
      const { stdout } = await proxy.ctl(["connections", "--json"]);
      const peers = JSON.parse(stdout).map(({ peer }: { peer: string }) => peer);
      assert.deepEqual(peers, clients.map(({ name }) => name));
      // Each goes on with another service, of another kind, and is told to it as well.
      await proxy.drain();
      await proxy.retarget({ host: "127.0.0.1", port: haproxyPort as number });
      await proxy.resume();
      for (const client of clients) {
        await client.send("GET / HTTP/1.1\r\nHost: here\r\n\r\n");
        assert.equal(await answer(client), client.name);
      }
      for (const client of clients) client.finish();
      await proxy.until(({ active, queued }) => active + (queued ?? 0) === 0);
      // Found, and cut, by the address of its own.
      const far = await Peer.connect(proxy.address);
      await far.send("PROXY TCP4 192.0.2.7 198.51.100.1 54321 80\r\n");
      await proxy.until(({ active }) => active === 1);
      const found = await proxy.ctl(["connections", "--json", "--peer", "192.0.2.0/24"]);
      assert.equal(JSON.parse(found.stdout).length, 1);
      assert.equal((await proxy.ctl(["kill", "--peer", "127.0.0.0/8"])).code, 8);
      assert.equal((await proxy.ctl(["kill", "--peer", "192.0.2.7"])).code, 0);
      assert.equal(await far.ending, "reset");
      // Without a header nobody comes in.
      const plain = await Peer.connect(proxy.address);
      await plain.send("GET / HTTP/1.1\r\n\r\n");
      assert.equal(await plain.ending, "reset");
      await proxy.process.heard(/Reset a client from 127\.0\.0\.1.*PROXY protocol/);
      for (const client of clients) client[Symbol.dispose]();
    },
  );
}
