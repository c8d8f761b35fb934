import assert from "node:assert/strict";
import { allowedHosts, isLoopback } from "../../lib/serve/hosts.ts";

Deno.test("only addresses, localhost, and names that were allowed are hosts of this machine", () => {
  const isAllowed = allowedHosts(["Proxies.example"]);
  for (
    const host of [
      ...["127.0.0.1:8404", "[::1]:8404", "192.0.2.7", "localhost", "LOCALHOST:1"],
      ...["proxies.example:80", "proxies.example.", "[fe80::1]"],
    ]
  ) assert.ok(isAllowed(host), host);
  for (
    const host of [
      ...[undefined, "", "evil.example", "localhost.evil.example", "127.0.0.1.evil.example"],
      ...["127.0.0.1, evil.example", "evil.example@127.0.0.1", "0x7f.1", "[evil]", "127.0.0.1:x"],
    ]
  ) assert.ok(!isAllowed(host), host);
});

Deno.test("only what this machine alone can reach is a loopback address", () => {
  for (const host of ["127.0.0.1", "127.8.9.1", "::1", "localhost"]) {
    assert.ok(isLoopback(host), host);
  }
  for (
    const host of [null, "0.0.0.0", "::", "192.0.2.1", "127.0.0.1.example", "::ffff:127.0.0.1"]
  ) {
    assert.ok(!isLoopback(host), `${host}`);
  }
});
