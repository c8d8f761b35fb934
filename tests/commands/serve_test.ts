import assert from "node:assert/strict";
import { complete, start } from "../support/programs.ts";
import { TemporaryDirectory } from "../support/temporary.ts";

Deno.test("serve is open to this machine only, unless there is a password", async () => {
  for (const listen of ["8404", "0.0.0.0:8404", "[::]:0", "proxies.example:8404"]) {
    const { code, stderr } = await complete("proxyctl", ["serve", "--listen", listen]);
    assert.equal(code, 2, stderr);
    assert.match(stderr, /^proxyctl: Others than this machine can reach .*--password-file.*\n$/);
  }
});

Deno.test("serve serves until it is told to end", async () => {
  await using temporary = await TemporaryDirectory.make();
  const args = ["--runtime-dir", temporary.path, "serve", "--listen", "127.0.0.1:0"];
  await using serving = start("proxyctl", args);
  const [, url = ""] = await serving.heard(/^proxyctl: Serving (http:\S+)$/m);
  assert.match(await (await fetch(url)).text(), /1 proxy: 1 away/);
  const { hostname, port } = new URL(url);
  const taken = await complete("proxyctl", ["serve", "--listen", `${hostname}:${port}`]);
  assert.equal(taken.code, 1);
  assert.match(taken.stderr, /^proxyctl: Failed to listen on 127\.0\.0\.1:\d+: .*\n$/);
  serving.kill("SIGTERM");
  assert.equal((await serving.finished()).code, 0);
});
