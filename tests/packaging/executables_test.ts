import assert from "node:assert/strict";
import { join } from "node:path";
import { type Program, PROGRAMS } from "../../lib/packaging/programs.ts";
import { echo } from "../relay/peer.ts";
import { executables, whyNoExecutables } from "../support/executables.ts";
import { complete } from "../support/programs.ts";
import { Proxy } from "../support/proxy.ts";
import { TemporaryDirectory } from "../support/temporary.ts";
import { testWith, without } from "../support/tools.ts";

const names = Object.keys(PROGRAMS) as (keyof typeof PROGRAMS)[];

for (const name of names) {
  testWith(
    whyNoExecutables ?? without("strace"),
    `the executable of ${name} opens nothing in the folder for temporary files`,
    async () => {
      await using temporary = await TemporaryDirectory.make();
      const folder = join(temporary.path, "folder");
      await Deno.mkdir(folder);
      const calls = join(temporary.path, "calls");
      const { code, stdout, stderr } = await complete(name, ["--version"], {
        executables: await executables(),
        env: { TMPDIR: folder },
        through: ["strace", "-f", "-qq", "-e", "trace=%file", "-o", calls],
      });
      const program: Program = PROGRAMS[name];
      assert.match(stdout, new RegExp(`^${program.executable} `), stderr);
      assert.equal(code, 0);
      const seen = (await Deno.readTextFile(calls)).split("\n");
      assert.ok(seen.some((line) => line.includes(program.executable)), "calls are seen");
      assert.deepEqual(seen.filter((line) => line.includes(folder)), []);
    },
  );
}

testWith(
  whyNoExecutables,
  "the executables carry, count, hold and resume, and are upgraded under a live connection",
  async () => {
    await using service = await echo();
    const options = { executables: await executables() };
    await using proxy = await Proxy.start(service.address, options);
    using client = await proxy.served();
    const metrics = await proxy.ctl(["metrics"]);
    assert.match(metrics.stdout, /^disnix_tcp_proxy_\w*accepted\w* 1$/m, metrics.stderr);
    const upgraded = await proxy.ctl(["upgrade", "--json"]);
    assert.equal(upgraded.code, 0, upgraded.stderr);
    const { pid } = JSON.parse(upgraded.stdout);
    try {
      assert.equal(pid.old, proxy.process.pid);
      await client.send("yo");
      assert.equal(await client.read(2), "yo");
      client.socket.end();
      await client.ending;
      assert.equal((await proxy.ctl(["drain"])).code, 0);
      using held = await proxy.connect();
      await held.send("held");
      await proxy.until(({ queued }) => queued === 1);
      assert.equal((await proxy.ctl(["resume"])).code, 0);
      assert.equal(await held.read(4), "held");
    } finally {
      Deno.kill(pid.new, "SIGKILL");
    }
  },
);
