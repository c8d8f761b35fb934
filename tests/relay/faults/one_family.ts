/**
 * A relay where a socket that listens on all IPv6 addresses takes no IPv4, in a network namespace of
 * its own, made by one_family_test.ts. Says "done" when all is as it should be.
 *
 * @module
 */

import assert from "node:assert/strict";
import { echo } from "../peer.ts";
import type { Kind } from "../relays.ts";
import { Stage } from "../stage.ts";

const [kind] = Deno.args as [Kind];
await using service = await echo();
const listen = { host: null, port: 0 };
await using stage = await Stage.set(kind, { listen, upstream: service.address });
const { relay } = stage;
const { port } = relay.listen;
for (const host of ["127.0.0.1", "::1"]) {
  const client = await stage.client({ host, port });
  await client.send("hello");
  assert.equal(await client.read(5), "hello");
}
await relay.hold();
for (const host of ["127.0.0.1", "::1"]) await stage.client({ host, port });
assert.equal(await relay.stopListening(), 2);
for (const host of ["127.0.0.1", "::1"]) await assert.rejects(stage.client({ host, port }));
Deno.stdout.writeSync(new TextEncoder().encode("done\n"));
