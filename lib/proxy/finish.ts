import type { Drain } from "../drain/drain.ts";
import { describeDuration, type Duration } from "../duration.ts";
import type { Relay } from "../relay/relay.ts";
import { within } from "../within.ts";
import type { Keeper } from "./keeper.ts";
import type { Log } from "./log.ts";

/** What is stopped, and how. */
export interface Stopping {
  readonly relay: Relay;
  readonly drain: Drain;
  /** Who keeps the clients that are queued, if the proxy is parked. */
  readonly keeper: Keeper | null;
  readonly log: Log;
  /** How long active connections may finish, in milliseconds; `null` is no limit. */
  readonly timeout: Duration;
  /** Resolves when nobody is served or waits to be. */
  readonly idle: () => Promise<void>;
  /** When it resolves, what is still active is cut at once. */
  readonly cutShort: Promise<unknown>;
}

/**
 * Stops serving. While open, those who are queued are served first; while held, they are reset: a
 * closed listening socket keeps nobody. Active connections may finish for a while.
 */
export async function finish(stopping: Stopping): Promise<void> {
  if (stopping.keeper === null) await stopServing(stopping);
  else await leaveTo(stopping.keeper, stopping);
}

/** Closes what this process has of the listening socket, and nothing else: nobody is reset. */
async function leaveTo(keeper: Keeper, { relay, drain, log }: Stopping): Promise<void> {
  const { queued } = relay;
  log.info("Stopping, parked", { event: "stop", state: "parked", active: 0 });
  await drain.stop();
  await relay.leave?.();
  log.info(`Stopped; ${keeper.name} keeps those who wait: ${queued}`, {
    event: "stopped",
    keeper: keeper.pid,
    queued,
  });
}

async function stopServing({ relay, drain, log, timeout, idle, cutShort }: Stopping) {
  const { state } = drain.status;
  const limit = timeout === null ? "as long as it takes" : describeDuration(timeout);
  const waiting = relay.active === 0 ? "" : `; ${relay.active} active may finish (${limit})`;
  log.info(`Stopping, ${state}${waiting}`, { event: "stop", state, active: relay.active });
  await drain.stop();
  const reset = await relay.stopListening();
  if (reset > 0) {
    const couldBeParked = relay.kind === "epoll" && state !== "open";
    const hint = couldBeParked ? "; to keep them, park it first: proxyctl park" : "";
    const message = `${clients(reset)} reset, because the proxy stopped while ${state}${hint}`;
    log.warning(message, { event: "queue_reset", reset });
  }
  // Asked only now: those who were queued are active now.
  await within(Promise.race([idle(), cutShort]), timeout);
  const { active, queued } = relay;
  await relay.shutDown();
  if (queued) log.warning(`${clients(queued)} reset`, { event: "queue_reset", reset: queued });
  if (active > 0) {
    const connections = active === 1 ? "1 connection was" : `${active} connections were`;
    log.warning(`${connections} cut`, { event: "cut", cut: active });
  }
  log.info("Stopped", { event: "stopped" });
}

function clients(count: number): string {
  return count === 1 ? "1 queued client was" : `${count} queued clients were`;
}
