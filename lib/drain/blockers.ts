import type { Connection, Relay } from "../relay/relay.ts";
import { MOST_BLOCKERS } from "./types.ts";

/**
 * Whom a drain waits for: the oldest active connections, not more than {@linkcode MOST_BLOCKERS} of
 * them. Those that are held block nothing.
 */
export function activeOf(relay: Pick<Relay, "active" | "connections">): Connection[] {
  const most = Math.min(relay.active, MOST_BLOCKERS);
  // Of those that are active when it is asked, one may be held when it is its turn.
  return [...relay.connections(most)].filter(({ heldFor }) => heldFor === null);
}
