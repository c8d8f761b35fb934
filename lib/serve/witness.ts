import type { ConnectionView, Status } from "../control/api.ts";

/** How many drains it remembers. */
const MOST_DRAINS = 20;

/** How many connections of a drain it remembers. */
const MOST_CONNECTIONS = 200;

/** A connection that a drain waited for, or a client that it held, as far as that was seen. */
export interface Witnessed {
  readonly peer: string;
  readonly id: number;
  /** Milliseconds since the epoch. */
  readonly from: number;
  /** When it was seen last. */
  until: number;
}

/** How many were held at a time, in milliseconds since the epoch. */
export interface Count {
  readonly at: number;
  readonly held: number;
}

/** What was seen of a drain while somebody looked. */
export interface Seen {
  readonly inTheWay: Map<number, Witnessed>;
  readonly held: Map<number, Witnessed>;
  /** How many were held, and when; only where that changed. */
  readonly counts: Count[];
}

/**
 * Remembers of drains what their proxies do not: who was in the way until when, and who was held.
 */
export class Witness {
  /** By the time since when each drain has been going on. */
  readonly #drains = new Map<string, Seen>();

  /** What was seen of a drain; nothing if nobody looked. */
  of(since: string): Seen | undefined {
    return this.#drains.get(since);
  }

  /** Looks at a drain that is going on. @param now milliseconds since the epoch */
  look(status: Status, connections: readonly ConnectionView[], now: number): void {
    const { since, queued, suspended } = status;
    if (since === null) return;
    const seen: Seen = this.#drains.get(since) ??
      { inTheWay: new Map(), held: new Map(), counts: [] };
    this.#drains.set(since, seen);
    for (const forgotten of [...this.#drains.keys()].slice(0, -MOST_DRAINS)) {
      this.#drains.delete(forgotten);
    }
    for (const { id, peer, heldSince } of connections) {
      const all = heldSince === null ? seen.inTheWay : seen.held;
      const before = all.get(id);
      if (before !== undefined) before.until = now;
      else if (all.size < MOST_CONNECTIONS) {
        const from = Date.parse(heldSince ?? since);
        all.set(id, { id, peer, from, until: now });
      }
    }
    const held = (queued ?? 0) + suspended;
    if (seen.counts.at(-1)?.held !== held) seen.counts.push({ at: now, held });
    if (seen.counts.length > MOST_CONNECTIONS) seen.counts.splice(1, 1);
  }
}
