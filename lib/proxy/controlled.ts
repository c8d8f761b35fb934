import { formatAddress } from "../address.ts";
import { heldSince, isoTime, type Status } from "../control/api.ts";
import type { Controlled } from "../control/controlled.ts";
import type { Drain } from "../drain/drain.ts";
import type { Relay } from "../relay/relay.ts";
import { VERSION } from "../version.ts";
import type { Handover } from "./handover.ts";
import type { Metrics } from "./metrics.ts";
import type { Upgrading } from "./upgrading.ts";

/** The proxy as the control socket sees it. @param identity which one it is, wherever it is asked */
export function controlled(
  relay: Relay,
  drain: Drain,
  metrics: Metrics,
  handover: Pick<Handover, "keeper">,
  upgrading: Upgrading,
  identity: Pick<Status, "machine" | "directory">,
): Controlled {
  const startedAt = new Date().toISOString();
  return {
    relay,
    drain,
    metrics: () => metrics.read(),
    upgrade: () => upgrading.start(),
    upstreamAnswers: (timeout) => relay.probe(timeout),
    status(): Status {
      const { state, owner, reason, since, deadline, leaseExpires } = drain.status;
      const { accepted, bytesUp, bytesDown } = relay.counters;
      const parked = handover.keeper;
      return {
        state: parked !== null ? "parked" : drain.isStopping ? "stopping" : state,
        active: relay.active,
        queued: relay.queued,
        suspended: relay.suspended,
        heldSince: heldSince(relay.longestHold),
        queueLimit: relay.queueLimit,
        listen: relay.listensAt.map(formatAddress).join(", "),
        upstream: formatAddress(relay.upstream),
        owner,
        reason,
        since: isoTime(since),
        deadline: isoTime(deadline),
        leaseExpires: isoTime(leaseExpires),
        keeper: parked?.pid ?? null,
        parkedUntil: isoTime(parked?.until ?? null),
        accepted,
        bytesUp,
        bytesDown,
        relay: relay.kind,
        threads: relay.threads,
        pid: Deno.pid,
        version: VERSION,
        startedAt,
        ...identity,
        lastDrain: drain.history.last,
      };
    },
  };
}
