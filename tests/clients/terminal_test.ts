import assert from "node:assert/strict";
import { commandOf, Running, start } from "../support/programs.ts";
import { Proxy } from "../support/proxy.ts";
import { testWith, without } from "../support/tools.ts";
import { upgrade } from "./service.ts";

testWith(
  without("script"),
  "hello-world-client on a terminal is answered by the next version, over the connection that it had",
  async () => {
    await using old = start("server", ["127.0.0.1:0", "--greeting", "old"]);
    await using next = start("server", ["127.0.0.1:0", "--greeting", "new"]);
    const [, oldPort] = await old.heard(/Listening on port (\d+)/);
    const [, nextPort] = await next.heard(/Listening on port (\d+)/);
    await using proxy = await Proxy.start({ host: "127.0.0.1", port: Number(oldPort) });
    const words = [...commandOf("client"), `127.0.0.1:${proxy.address.port}`];
    const command = words.map((word) => `'${word}'`).join(" ");
    await using client = new Running(["script", "-qefc", command, "/dev/null"]);
    await client.write("hello\r");
    await client.heard(/^.*old\r\n/m, "stdout");
    const suspended = await upgrade(proxy, async () => {
      old.kill("SIGTERM");
      await old.finished();
      await proxy.retarget({ host: "127.0.0.1", port: Number(nextPort) });
    }, { suspendQuiet: "50ms" });
    assert.equal(suspended, 1);
    await client.write("hello\r");
    await client.heard(/^.*new\r\n/m, "stdout");
    await client.write("quit\r");
    assert.equal((await client.finished()).code, 0);
  },
);
