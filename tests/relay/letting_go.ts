import assert from "node:assert/strict";
import type { LettingGo } from "../../lib/relay/relay.ts";
import type { Peer } from "./peer.ts";
import type { Stage } from "./stage.ts";
import { eventually } from "./waiting.ts";

/** To suspend what is quiet for so many milliseconds. */
export function suspend(quiet: number): LettingGo {
  return { suspendQuiet: quiet, closeEnded: null };
}

/** A request and its answer, the same word. */
export async function exchange(client: Peer, server: Peer, word: string): Promise<void> {
  await client.send(word);
  assert.equal(await server.read(word.length), word);
  await server.send(word);
  assert.equal(await client.read(word.length), word);
}

/** A new client that was served, and is suspended: the relay holds. */
export async function suspendedClient(stage: Stage, quiet: number): Promise<Peer> {
  const { client, server } = await stage.pair();
  await exchange(client, server, "ask");
  await stage.relay.hold(suspend(quiet));
  await eventually(() => stage.relay.suspended === 1, "a suspended client");
  return client;
}
