import assert from "node:assert/strict";
import { echo } from "../relay/peer.ts";
import { Proxy } from "../support/proxy.ts";
import { onlyForLong } from "../support/long.ts";
import { testWith } from "../support/tools.ts";

/** They all last 10 s, so they run at the same time. */
const PROPERTIES: Record<string, () => Promise<void>> = {
  async "every proxyctl gives up, with 1"() {
    await using service = await echo();
    await using proxy = await Proxy.start(service.address);
    proxy.process.kill("SIGSTOP");
    const verbs = ["status", "drain", "resume", "resume --wait-upstream 1s", "with-drain -- true"];
    for (const finished of await Promise.all(verbs.map((verb) => proxy.ctl(verb.split(" "))))) {
      assertGaveUp(finished);
      assert.equal(finished.stdout, "");
    }
  },

  async "a drain that has begun gives up, with 1"() {
    await using service = await echo();
    await using proxy = await Proxy.start(service.address);
    using _active = await proxy.served();
    await using drain = proxy.startCtl(["drain"]);
    await drain.heard(/Draining/);
    proxy.process.kill("SIGSTOP");
    assertGaveUp(await drain.finished());
  },

  async "a resume that waits for the upstream gives up, however long it would wait"() {
    await using service = await echo();
    await using proxy = await Proxy.start(service.address);
    await proxy.drain();
    await service[Symbol.asyncDispose]();
    await using resume = proxy.startCtl(["resume", "--owner", "me", "--wait-upstream", "1h"]);
    await resume.heard(/Waiting for the upstream/);
    proxy.process.kill("SIGSTOP");
    assertGaveUp(await resume.finished());
  },

  async "a request whose body does not come is given up by the proxy"() {
    await using service = await echo();
    await using proxy = await Proxy.start(service.address);
    using slow = await Deno.connect({ transport: "unix", path: proxy.controlSocket });
    const head = "POST /v1/drain HTTP/1.1\r\nhost: a\r\ncontent-length: 10\r\n\r\n{";
    await slow.write(new TextEncoder().encode(head));
    const answer = new Uint8Array(1000);
    const count = await slow.read(answer) ?? 0;
    assert.match(new TextDecoder().decode(answer.subarray(0, count)), /^HTTP\/1\.1 408 /);
  },
};

testWith(
  onlyForLong,
  "where the other side hangs, nobody waits longer than some 10 s",
  async (test) => {
    await Promise.all(
      Object.entries(PROPERTIES).map(([name, fn]) =>
        test.step({ name, fn, sanitizeOps: false, sanitizeResources: false, sanitizeExit: false })
      ),
    );
  },
);

function assertGaveUp({ code, stderr }: { code: number; stderr: string }): void {
  const last = stderr.trimEnd().split("\n").at(-1) ?? "";
  assert.match(
    last,
    /^proxyctl: The proxy at \/.* did not answer within 1\ds(; what was asked .*)?$/,
  );
  assert.equal(code, 1);
}
