import { formatAddress } from "../address.ts";
import type { Status } from "../control/api.ts";
import type { Controlled } from "../control/server.ts";
import type { Drain } from "../drain.ts";
import { probe } from "../relay/probe.ts";
import type { Relay } from "../relay/relay.ts";
import { VERSION } from "../version.ts";
import type { Metrics } from "./metrics.ts";

/** The keeper of a parked proxy. */
export interface Keeper {
  readonly pid: number;
  /** When it gives up, in milliseconds since the epoch. */
  readonly until: number;
}

/** The proxy as the control socket sees it. */
export function controlled(
  relay: Relay,
  drain: Drain,
  metrics: Metrics,
  keeper: () => Keeper | null,
  upgrade: () => Promise<number>,
): Controlled {
  const startedAt = new Date().toISOString();
  const iso = (time: number | null) => time === null ? null : new Date(time).toISOString();
  return {
    relay,
    drain,
    metrics: () => metrics.read(),
    upgrade,
    upstreamAnswers: (timeout) => probe(relay.upstream, timeout),
    status(): Status {
      const { state, owner, reason, since, deadline, leaseExpires } = drain.status;
      const { accepted, bytesUp, bytesDown } = relay.counters;
      const parked = keeper();
      return {
        state: parked === null ? state : "parked",
        active: relay.active,
        queued: relay.queued,
        listen: formatAddress(relay.listen),
        upstream: formatAddress(relay.upstream),
        owner,
        reason,
        since: iso(since),
        deadline: iso(deadline),
        leaseExpires: iso(leaseExpires),
        keeper: parked?.pid ?? null,
        parkedUntil: iso(parked?.until ?? null),
        accepted,
        bytesUp,
        bytesDown,
        relay: relay.kind,
        threads: relay.threads,
        pid: Deno.pid,
        version: VERSION,
        startedAt,
      };
    },
  };
}
