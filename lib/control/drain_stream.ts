import type { DrainRequest } from "../drain/request.ts";
import { activeOf } from "../drain/blockers.ts";
import type { Outcome } from "../drain/types.ts";
import type { Waiter } from "../drain/waiter.ts";
import { News } from "../news.ts";
import {
  type ConnectionView,
  type DrainOutcome,
  type DrainProgress,
  type DryRun,
  seconds,
  viewConnection,
} from "./api.ts";
import type { Listener } from "./http/messages.ts";
import type { Controlled } from "./controlled.ts";

/** How often progress is told, in milliseconds. */
const EVERY = 1000;

/**
 * The answer to a drain: a line of progress at once and every second, and the outcome as the last
 * line. A client that goes away before it has been told has left the drain.
 *
 * Who does not wait gets one line of progress. Who is attached gets lines until the drain is over;
 * one that says `drained` tells that it is. Who comes back after the drain has moved gets what it
 * would have got.
 */
export async function tellDrain(
  controlled: Controlled,
  waiter: Waiter,
  listener: Listener,
): Promise<void> {
  const news = new News();
  if (waiter.settledAs === null) void waiter.settled.then(news.arrive);
  for (const promise of [waiter.ended, listener.silent]) void promise.then(news.arrive);
  for (;;) {
    const outcome = outcomeFor(waiter);
    const line = outcome === null ? progressOf(controlled, waiter) : outcomeOf(outcome, waiter);
    // Who stands still for a while, by Ctrl-Z perhaps, has not left.
    if (!await listener.write(`${JSON.stringify(line)}\n`, Infinity)) return waiter.leave();
    if (outcome !== null || !waiter.waits) return waiter.told();
    await news.within(EVERY);
  }
}

/** What there is to tell as the last line; `null` as long as there is nothing. */
function outcomeFor({ waits, attached, settledAs, endedAs }: Waiter): Outcome | null {
  if (waits) return attached ? endedAs : settledAs;
  // Failed already: the record could not be written once it was drained.
  const failed = settledAs !== null && !["drained", "moved"].includes(settledAs.outcome);
  return failed ? settledAs : null;
}

/** What a drain would do right now. */
export function dryRun(controlled: Controlled, request: DrainRequest): DryRun {
  const { relay, drain } = controlled;
  const { active } = relay;
  const blockers = blockersOf(relay);
  const refused = drain.refusal(request);
  if (refused !== null) return { would: "be refused", message: refused.message, active, blockers };
  const { state } = drain.status;
  const wait = `wait for ${relay.active} active connection${relay.active === 1 ? "" : "s"}`;
  return state === "open"
    ? { would: "drain", message: `Would hold new connections and ${wait}`, active, blockers }
    : { would: "join", message: `Would join the drain (${state}) and ${wait}`, active, blockers };
}

function progressOf(
  { relay, drain }: Controlled,
  { waited, joined, notice }: Waiter,
): DrainProgress {
  const quiet = drain.lettingGo?.suspendQuiet ?? null;
  return {
    state: drain.status.state === "drained" ? "drained" : "draining",
    active: relay.active,
    queued: relay.queued,
    suspended: relay.suspended,
    suspendQuietSeconds: quiet === null ? null : seconds(quiet),
    waitedSeconds: seconds(waited),
    joined,
    notice,
    blockers: blockersOf(relay),
  };
}

function blockersOf(relay: Controlled["relay"]): ConnectionView[] {
  return activeOf(relay).map(viewConnection);
}

function outcomeOf(outcome: Outcome, { waited, joined, token }: Waiter): DrainOutcome {
  return {
    outcome: outcome.outcome,
    message: outcome.message,
    waitedSeconds: seconds(waited),
    joined,
    connectionsCut: outcome.cut,
    // Not those of now: by now others may be served again.
    active: outcome.active,
    blockers: outcome.blockers.map(viewConnection),
    ...(outcome.outcome === "moved" && { waiter: token }),
  };
}
