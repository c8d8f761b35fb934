import assert from "node:assert/strict";
import { echo } from "../relay/peer.ts";
import { complete } from "../support/programs.ts";
import { Proxy } from "../support/proxy.ts";
import { TemporaryDirectory } from "../support/temporary.ts";

Deno.test("dial is a plain pipe to the control socket, and waits for the answer after the end of stdin", async () => {
  await using service = await echo();
  await using proxy = await Proxy.start(service.address);
  const args = ["--runtime-dir", proxy.directory, "dial"];
  const input = "GET /v1/status HTTP/1.0\r\n\r\n";
  const { code, stdout, stderr } = await complete("proxyctl", args, { input });
  assert.deepEqual([code, stderr], [0, ""]);
  const [head, body = ""] = stdout.split("\r\n\r\n");
  assert.match(head ?? "", /^HTTP\/1\.1 200 OK\r\n/);
  assert.equal(JSON.parse(body).pid, proxy.process.pid);
});

Deno.test("dial ends with 3 where no proxy is, and prints nothing", async () => {
  await using temporary = await TemporaryDirectory.make();
  const { code, stdout, stderr } = await complete("proxyctl", [
    "--runtime-dir",
    temporary.path,
    "dial",
  ]);
  assert.deepEqual([code, stdout], [3, ""]);
  assert.equal(stderr, `proxyctl: No proxy runs at ${temporary.path}\n`);
});
