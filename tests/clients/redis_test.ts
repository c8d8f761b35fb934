import assert from "node:assert/strict";
import { freePort } from "../support/free_port.ts";
import { onlyForLong } from "../support/long.ts";
import { Running } from "../support/programs.ts";
import { Proxy } from "../support/proxy.ts";
import { TemporaryDirectory } from "../support/temporary.ts";
import { testWith, without } from "../support/tools.ts";
import { until } from "../support/until.ts";
import { Daemon, upgrade } from "./service.ts";

const REQUESTS = 20_000;
const CONNECTIONS = 4;

testWith(
  onlyForLong ?? without("redis-server", "redis-cli", "redis-benchmark"),
  "Redis is restarted with its data under redis-benchmark and redis-cli: each command is carried out once, and none fails",
  async () => {
    await using temporary = await TemporaryDirectory.make();
    await using redis = new Daemon(freePort());
    const start = async () => {
      await redis.start(
        ...["redis-server", "--port", `${redis.port}`, "--bind", "127.0.0.1"],
        ...["--dir", temporary.path, "--save", "", "--appendonly", "yes"],
      );
      // It accepts connections before it has its data, and refuses what they ask: "LOADING".
      const ping = ["redis-cli", "-p", `${redis.port}`, "PING"];
      await until(() => new Running(ping).finished(), ({ stdout }) => stdout === "PONG\n");
    };
    await start();
    await using proxy = await Proxy.start({ host: "127.0.0.1", port: redis.port }, {
      args: ["--suspend-quiet", "50ms"],
    });
    const port = `${proxy.address.port}`;
    await using cli = new Running(["redis-cli", "-p", port]);
    await cli.write("SET kept yes\n");
    await cli.heard(/OK\n/, "stdout");
    await using benchmark = new Running([
      ...["redis-benchmark", "-p", port, "-t", "incr", "-c", `${CONNECTIONS}`],
      ...["-n", `${REQUESTS}`, "--csv"],
    ]);
    await proxy.until(({ active }) => active > CONNECTIONS);
    for (let count = 0; count < 2; count++) {
      // redis-cli's as well; the benchmark may be done by then.
      assert.ok(await upgrade(proxy, () => redis.stop().then(start)) >= 1);
    }
    const { code, stderr } = await benchmark.finished();
    assert.deepEqual([code, stderr], [0, ""]);
    await cli.write("GET kept\nGET counter:__rand_int__\n");
    await cli.heard(/^yes\n20000\n/m, "stdout");
    await cli.closeStdin();
    assert.equal((await cli.finished()).stderr, "");
  },
);
