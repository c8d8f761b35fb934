import assert from "node:assert/strict";
import { freePort } from "../support/free_port.ts";
import { Running } from "../support/programs.ts";
import { Proxy } from "../support/proxy.ts";
import { TemporaryDirectory } from "../support/temporary.ts";
import { testWith, without } from "../support/tools.ts";
import { until } from "../support/until.ts";
import { nginxConfiguration } from "./nginx.ts";
import { Daemon, upgrade } from "./service.ts";

const CONNECTIONS = 16;
const UPGRADES = 3;

/** What nginx is told. */
function configuration(port: number): string {
  return nginxConfiguration({
    http: `keepalive_requests 1000000000;
      server {
        listen 127.0.0.1:${port};
        return 200 "hello\\n";
      }`,
  });
}

testWith(
  without("nginx", "wrk"),
  "nginx is upgraded while wrk asks all the time over connections that are kept: none has an error",
  async () => {
    await using temporary = await TemporaryDirectory.make();
    await using nginx = new Daemon(freePort());
    const file = `${temporary.path}/nginx.conf`;
    await Deno.writeTextFile(file, configuration(nginx.port));
    const start = () => nginx.start("nginx", "-p", temporary.path, "-c", file, "-e", "stderr");
    await start();
    await using proxy = await Proxy.start({ host: "127.0.0.1", port: nginx.port }, {
      args: ["--suspend-quiet", "20ms"],
    });
    await using wrk = new Running([
      ...["wrk", "--threads", "1", "--connections", `${CONNECTIONS}`],
      ...["--duration", "10m", "--timeout", "10m", `http://127.0.0.1:${proxy.address.port}/`],
    ]);
    // One more than it keeps: wrk looks whether there is somebody.
    const { accepted } = await proxy.until(({ active }) => active === CONNECTIONS);
    for (let count = 0; count < UPGRADES; count++) {
      const { bytesDown } = await proxy.until(({ active }) => active === CONNECTIONS);
      await until(() => proxy.status(), (now) => now.bytesDown > bytesDown);
      const suspended = await upgrade(proxy, () => nginx.stop().then(start));
      assert.equal(suspended, CONNECTIONS);
    }
    const { bytesDown } = await proxy.until(({ active }) => active === CONNECTIONS);
    await until(() => proxy.status(), (now) => now.bytesDown > bytesDown);
    wrk.kill("SIGINT");
    const { stdout } = await wrk.finished();
    assert.match(stdout, /\d+ requests in/);
    assert.doesNotMatch(stdout, /Socket errors|Non-2xx/, stdout);
    // No client was connected anew.
    assert.equal((await proxy.status()).accepted, accepted);
  },
);
