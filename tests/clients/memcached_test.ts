import assert from "node:assert/strict";
import { freePort } from "../support/free_port.ts";
import { Proxy } from "../support/proxy.ts";
import { testWith, without } from "../support/tools.ts";
import { Daemon, upgrade } from "./service.ts";

testWith(
  without("memcached"),
  "memcached is restarted, and its client goes on over the connection that it had: its data is gone",
  async () => {
    await using memcached = new Daemon(freePort());
    const start = () =>
      memcached.start(
        ...["memcached", "-l", "127.0.0.1", "-p", `${memcached.port}`, "-U", "0"],
        ...(Deno.uid() === 0 ? ["-u", "nobody"] : []),
      );
    await start();
    await using proxy = await Proxy.start({ host: "127.0.0.1", port: memcached.port }, {
      args: ["--suspend-quiet", "50ms"],
    });
    using client = await proxy.connect();
    const ask = async (request: string, answer: string) => {
      await client.send(request);
      assert.equal(await client.read(answer.length), answer);
    };
    await ask("set name 0 0 5\r\nvalue\r\n", "STORED\r\n");
    await ask("get name\r\n", "VALUE name 0 5\r\nvalue\r\nEND\r\n");
    assert.equal(await upgrade(proxy, () => memcached.stop().then(start)), 1);
    await ask("get name\r\n", "END\r\n");
  },
);
