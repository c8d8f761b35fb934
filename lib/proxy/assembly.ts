import { systemClock } from "../clock.ts";
import type { Controlled } from "../control/controlled.ts";
import { Drain } from "../drain/drain.ts";
import { History } from "../drain/history.ts";
import { HistoryFile, readHistory } from "../drain/history_file.ts";
import { RecordFile } from "../drain/store.ts";
import type { DrainEvent } from "../drain/types.ts";
import { Failure } from "../failure.ts";
import { machineId } from "../machine_id.ts";
import { messageOf } from "../message_of.ts";
import { pathsIn } from "../runtime_directory/paths.ts";
import { Announcements } from "./announcements.ts";
import type { Beginning, Begun } from "./beginning.ts";
import { controlled } from "./controlled.ts";
import type { Handover } from "./handover.ts";
import { IdleExit } from "./idle_exit.ts";
import type { Log } from "./log.ts";
import { Metrics } from "./metrics.ts";
import type { ProxyOptions } from "./options.ts";
import { RetargetNote } from "./retarget_note.ts";
import { drainReporter, relayReporter } from "./reporter.ts";
import { ServiceStatus } from "./service_status.ts";
import { Upgrading } from "./upgrading.ts";

/** What a proxy is assembled from. */
export interface AssemblyParts {
  readonly options: ProxyOptions;
  /** The runtime directory. */
  readonly path: string;
  readonly beginning: Beginning;
  readonly handover: Handover;
  readonly log: Log;
}

/** The relay and all that hears it. Nothing has started: the relay holds, and there is no drain yet. */
export interface Assembly {
  readonly begun: Begun;
  readonly drain: Drain;
  readonly idleExit: IdleExit;
  readonly upgrading: Upgrading;
  readonly retarget: RetargetNote;
  readonly serviceStatus: ServiceStatus;
  /** The whole as the control socket sees it. */
  readonly control: Controlled;
  /** Where the drains that were are kept. */
  readonly history: HistoryFile;
  /** Tells that the relay has no active connection left. */
  readonly noneActive: Announcements<void>;
  /** Rejects with a `Failure` when the relay breaks. */
  readonly broken: Promise<never>;
}

/**
 * Makes the relay, and all that hears it.
 *
 * @param undo gets what must be given back if the rest fails
 * @throws {Failure} when there can be no relay
 */
export async function assemble(
  { options, path, beginning, handover, log }: AssemblyParts,
  undo: AsyncDisposableStack,
): Promise<Assembly> {
  const machine = await machineId();
  // Both are asked for only when somebody reads them.
  const metrics = new Metrics(() => control.status(), () => begun.relay);
  const noneActive = new Announcements<void>();
  const broken = Promise.withResolvers<never>();
  // That it ends the proxy does not depend on who waits for it just then.
  broken.promise.catch(() => {});
  // Until the drain opens it the relay holds. All that it may tell before there is a drain is that it
  // has lost connections that were taken over.
  const begun = await beginning.makeRelay(
    relayReporter(log, metrics, options.logLevel === "debug", {
      noneActive: () => noneActive.tell(),
      async broken({ message }) {
        await log.flush();
        broken.reject(new Failure(`The relay broke, and every connection with it: ${message}`));
      },
    }),
  );
  const { relay, directory } = begun;
  undo.defer(() => relay.shutDown());
  const drainEvents = new Announcements<DrainEvent>();
  drainEvents.hear(drainReporter(log, metrics));
  const paths = pathsIn(directory.path);
  const store = new HistoryFile(paths.history, (error) => {
    const message = `Failed to keep the history of drains: ${messageOf(error)}`;
    log.warning(message, { event: "history_failed" });
  });
  undo.defer(() => store.leave());
  const drain = new Drain({
    relay,
    clock: systemClock,
    store: new RecordFile(paths.record),
    history: new History(systemClock, readHistory(paths.history), store),
    commandUpstream: options.upstream,
    suspendQuiet: options.suspendQuiet,
    report: (event) => drainEvents.tell(event),
  });
  noneActive.hear(() => drain.noneActive());
  const retarget = new RetargetNote({
    path: pathsIn(directory.path).retarget,
    commandUpstream: options.upstream,
    log,
  });
  drainEvents.hear((event) => retarget.hear(event));
  const idleExit = new IdleExit(options.exitIdleTime, { relay, drain, clock: systemClock, log });
  drainEvents.hear((event) => {
    if (event.type === "resumed") idleExit.opened();
  });
  const upgrading = new Upgrading({ directory: path, handover, log });
  const identity = { machine, directory: Deno.realPathSync(path) };
  const control = controlled(relay, drain, metrics, handover, upgrading, identity);
  const serviceStatus = new ServiceStatus(() =>
    handover.succession?.isGone ? null : control.status()
  );
  drainEvents.hear(() => serviceStatus.update());
  noneActive.hear(() => serviceStatus.update());
  return {
    begun,
    drain,
    idleExit,
    upgrading,
    control,
    retarget,
    serviceStatus,
    noneActive,
    history: store,
    broken: broken.promise,
  };
}
