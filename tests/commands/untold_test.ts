/** What becomes of a command whose result cannot be written anywhere. */

import assert from "node:assert/strict";
import { echo } from "../relay/peer.ts";
import { lendProxy } from "../support/lent_proxy.ts";
import { commandOf, Running } from "../support/programs.ts";
import { Proxy } from "../support/proxy.ts";
import { onlyForLong } from "../support/long.ts";
import { testWith } from "../support/tools.ts";

/** Runs proxyctl with its output sent there. */
async function ctlTo(proxy: Proxy, where: string, ...args: string[]) {
  const command = [...commandOf("proxyctl"), "--runtime-dir", proxy.directory, ...args];
  // The exit code is that of proxyctl, on whichever side of a pipe it is.
  const script = `{ { "$@"; echo $? >&3; } ${where}; } 3>&1`;
  await using shell = new Running(["sh", "-c", script, "sh", ...command]);
  const { stdout, stderr } = await shell.finished();
  return { code: Number(stdout), stderr };
}

Deno.test("a drain whose result cannot be written is cancelled", async () => {
  await using lent = await lendProxy();
  const { proxy } = lent;
  let times = 0;
  for (
    const [where, ...options] of [
      ["> /dev/full"],
      ["| true", "--json"],
      ["> /dev/full", "--no-wait"],
    ] as const
  ) {
    const { code, stderr } = await ctlTo(proxy, where, "drain", ...options);
    assert.equal(code, 1);
    assert.match(stderr, /^proxyctl: Failed to write to stdout: [^\n]+\. The drain was [^\n]+\n$/);
    await proxy.logged("resume", ++times);
    assert.equal((await proxy.status()).state, "open");
  }
});

Deno.test("a drain that was there before is not cancelled by who cannot tell of it", async () => {
  await using lent = await lendProxy();
  const { proxy } = lent;
  assert.equal((await proxy.ctl(["drain"])).code, 0);
  const { code, stderr } = await ctlTo(proxy, "> /dev/full", "drain");
  assert.equal(code, 1);
  assert.match(stderr, /^proxyctl: Failed to write to stdout: [^\n]+\n$/);
  assert.equal((await proxy.status()).state, "drained");
});

testWith(
  onlyForLong,
  "every other result that cannot be written is told as well, with 1",
  async () => {
    await using service = await echo();
    await using proxy = await Proxy.start(service.address);
    for (const verb of ["status", "resume", "connections --json", "metrics"]) {
      const { code, stderr } = await ctlTo(proxy, "> /dev/full", ...verb.split(" "));
      assert.equal(code, 1, verb);
      assert.match(stderr, /^proxyctl: Failed to write to stdout: [^\n]+\n$/);
    }
    const { code, stderr } = await ctlTo(proxy, "> /dev/full", "with-drain", "--", "true");
    assert.equal(code, 0);
    assert.match(stderr, /^Drained after \S+, running true\nResumed; nobody was held\n$/);
    assert.equal((await proxy.status()).state, "open");
  },
);
