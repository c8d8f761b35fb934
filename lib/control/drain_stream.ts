import type { DrainRequest, Outcome } from "../drain/types.ts";
import type { Waiter } from "../drain/waiter.ts";
import {
  type DrainOutcome,
  type DrainProgress,
  type DryRun,
  MOST_BLOCKERS,
  seconds,
  viewConnection,
} from "./api.ts";
import type { Controlled } from "./server.ts";

/** How often progress is told, in milliseconds. */
const EVERY = 1000;

/**
 * The answer to a drain: a line of progress at once and every second, and the outcome as the last
 * line. A client that goes away before that has left the drain.
 *
 * Who does not wait gets one line of progress. Who is attached gets lines until the drain is over;
 * one that says `drained` tells that it is. Who comes back after the drain has moved gets what it
 * would have got.
 */
export function drainStream(
  controlled: Controlled,
  waiter: Waiter,
): ReadableStream<Uint8Array> {
  const { waits, attached } = waiter;
  const encoder = new TextEncoder();
  let timer: ReturnType<typeof setInterval> | undefined;
  let over = false;
  const stop = () => {
    over = true;
    clearInterval(timer);
  };
  return new ReadableStream({
    start(controller) {
      const tell = (line: DrainProgress | DrainOutcome) =>
        controller.enqueue(encoder.encode(`${JSON.stringify(line)}\n`));
      const progress = () => tell(progressOf(controlled, waiter.waited));
      const finish = (outcome: Outcome) => {
        if (over) return;
        stop();
        tell(outcomeOf(outcome, waiter));
        controller.close();
      };
      const decided = waiter.settledAs;
      const known = attached ? waiter.endedAs : decided;
      if (waits && known !== null) return finish(known);
      if (!waits) {
        // Failed already: the record could not be written once it was drained.
        const failed = decided !== null && !["drained", "moved"].includes(decided.outcome);
        if (failed) return finish(decided);
        progress();
        return controller.close();
      }
      progress();
      // Lines that nobody reads are not piled up.
      timer = setInterval(() => (controller.desiredSize ?? 0) > 0 && progress(), EVERY);
      if (attached && decided === null) {
        void waiter.settled.then(({ outcome }) => outcome === "drained" && !over && progress());
      }
      void (attached ? waiter.ended : waiter.settled).then(finish);
    },
    cancel() {
      stop();
      waiter.leave();
    },
  });
}

/** What a drain would do right now. */
export function dryRun(controlled: Controlled, request: DrainRequest): DryRun {
  const { relay, drain } = controlled;
  const { active, blockers } = progressOf(controlled, 0);
  const refused = drain.refusal(request);
  if (refused !== null) return { would: "be refused", message: refused.message, active, blockers };
  const { state } = drain.status;
  const wait = `wait for ${relay.active} active connection${relay.active === 1 ? "" : "s"}`;
  return state === "open"
    ? { would: "drain", message: `Would hold new connections and ${wait}`, active, blockers }
    : { would: "join", message: `Would join the drain (${state}) and ${wait}`, active, blockers };
}

function progressOf({ relay, drain }: Controlled, waited: number): DrainProgress {
  return {
    state: drain.status.state === "drained" ? "drained" : "draining",
    active: relay.active,
    queued: relay.queued,
    waitedSeconds: seconds(waited),
    blockers: relay.connections().slice(0, MOST_BLOCKERS).map(viewConnection),
  };
}

function outcomeOf(outcome: Outcome, { waited, token }: Waiter): DrainOutcome {
  return {
    outcome: outcome.outcome,
    message: outcome.message,
    waitedSeconds: seconds(waited),
    connectionsCut: outcome.cut,
    // Not those of now: by now others may be served again.
    active: outcome.blockers.length,
    blockers: outcome.blockers.slice(0, MOST_BLOCKERS).map(viewConnection),
    ...(outcome.outcome === "moved" && { waiter: token }),
  };
}
