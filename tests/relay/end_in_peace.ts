import assert from "node:assert/strict";
import type { Peer } from "./peer.ts";

/** Both sides of a connection end it, one after the other, and nothing is left to be heard. */
export async function endInPeace(client: Peer, server: Peer): Promise<void> {
  client.finish();
  assert.equal(await server.rest(), "");
  server.finish();
  assert.equal(await client.rest(), "");
}
