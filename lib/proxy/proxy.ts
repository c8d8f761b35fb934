/**
 * A proxy, put together: the relay, the drain, the control socket, the log and the metrics.
 *
 * @module
 */

import { setTimeout as delay } from "node:timers/promises";
import { systemClock } from "../clock.ts";
import { ApiError } from "../control/api_error.ts";
import { Failure } from "../command_line.ts";
import type { Status } from "../control/api.ts";
import { controlHandler } from "../control/server.ts";
import { ControlSocket } from "../control/socket.ts";
import { Drain } from "../drain.ts";
import { RecordFile } from "../drain/store.ts";
import { groupId } from "../group.ts";
import { NobodyThere } from "../handover/nobody_there.ts";
import type { ServiceState } from "../linux/service_manager.ts";
import { messageOf } from "../message_of.ts";
import { whyNoEpoll } from "../relay/epoll/available.ts";
import type { EpollRelay } from "../relay/epoll/relay.ts";
import type { Relay } from "../relay/relay.ts";
import { chooseRelay } from "../relay/choose.ts";
import { DirectoryTaken, OwnedDirectory, pathsIn, runtimeDirectory } from "../runtime_directory.ts";
import { isSocketActivated } from "../socket_activation.ts";
import { beginAnew, type Beginning, type MakeRelay } from "./beginning.ts";
import { controlled } from "./controlled.ts";
import { finish } from "./finish.ts";
import { forgetPredecessor, isLaunched } from "./failure.ts";
import { IdleExit } from "./idle_exit.ts";
import { type Log, openLog } from "./log.ts";
import { Metrics } from "./metrics.ts";
import type { ProxyOptions } from "./options.ts";
import { drainReporter, relayReporter } from "./reporter.ts";
import { SpareWorkers } from "./spare_workers.ts";
import type { Succession } from "./succession.ts";

/** For how long it is tried to take over from somebody who is about to be there, in milliseconds. */
const BEGIN_WITHIN = 5000;
/** How soon it is tried again, in milliseconds. */
const BEGIN_AGAIN_AFTER = 20;

/** A proxy that runs. */
export interface RunningProxy {
  /**
   * Resolves when it has ended by itself, because nobody was there for so long. Rejects with a
   * `Failure` when its relay breaks: then all that is left to do is to end the process.
   */
  readonly ended: Promise<void>;
  /**
   * Stops it; resolves when everything is given back.
   *
   * @param cutShort when it resolves, connections that are still active are cut at once
   */
  stop(cutShort: Promise<unknown>): Promise<void>;
}

/**
 * Starts a proxy.
 *
 * @param makeRelay makes a relay as the options say
 * @throws {Failure} when it cannot start; then nothing is left behind
 */
export async function startProxy(
  options: ProxyOptions,
  makeRelay?: MakeRelay,
): Promise<RunningProxy> {
  const group = options.controlGroup === undefined ? null : await groupId(options.controlGroup);
  const path = runtimeDirectory(options.runtimeDir, options.listen);
  const log = await openLog(options.logFormat, options.logLevel);
  const parts = { options, path, group, log };
  const workers = new SpareWorkers(options);
  try {
    return await insist(async () => {
      await using undo = new AsyncDisposableStack();
      const beginning = await begin(parts, workers, undo, makeRelay);
      const proxy = await open({ ...parts, beginning }, undo);
      undo.move();
      forgetPredecessor();
      return proxy;
    });
  } catch (error) {
    await log.flush();
    throw error;
  }
}

/** @param undo gets what must be given back if the rest fails */
async function begin(
  { options, path, group, log }: Omit<Parts, "beginning">,
  workers: SpareWorkers,
  undo: AsyncDisposableStack,
  makeRelay: MakeRelay | undefined,
): Promise<Beginning> {
  let taken: DirectoryTaken;
  try {
    const directory = await OwnedDirectory.take(path, group);
    undo.defer(() => directory.abandon());
    // Whoever stopped that proxy wants none.
    if (isLaunched()) throw new Failure("The proxy that was to be succeeded has ended");
    workers.dismiss();
    return beginAnew(options, directory, log, makeRelay);
  } catch (error) {
    if (!(error instanceof DirectoryTaken)) throw error;
    taken = error;
  }
  refuseTakeover(options, taken);
  // Not before: what it is made of can only be loaded where it can run.
  const { beginByTakeover } = await import("./takeover.ts");
  return await beginByTakeover({
    ...{ options, path, group, log, taken },
    workers: await workers.get(),
  });
}

/** Tries again while one process ends and another is about to be there: another proxy, or a keeper. */
async function insist(begin: () => Promise<RunningProxy>): Promise<RunningProxy> {
  const deadline = performance.now() + BEGIN_WITHIN;
  for (;;) {
    try {
      return await begin();
    } catch (error) {
      if (!(error instanceof NobodyThere) || performance.now() > deadline) throw error;
    }
    await delay(BEGIN_AGAIN_AFTER);
  }
}

/** @throws {DirectoryTaken} where nothing may, or can, be taken over */
function refuseTakeover({ takeover, relay }: ProxyOptions, taken: DirectoryTaken): void {
  if (takeover === "never" && !isLaunched()) throw taken;
  if (chooseRelay(relay).kind === "epoll") return;
  throw new DirectoryTaken(`${taken.message}. The portable relay cannot take over from it`);
}

/** What a proxy is made of. */
interface Parts {
  readonly options: ProxyOptions;
  /** The runtime directory. */
  readonly path: string;
  readonly beginning: Beginning;
  readonly group: number | null;
  readonly log: Log;
}

/** @param undo gets what must be given back if this fails */
async function open(
  { options, path, beginning, group, log }: Parts,
  undo: AsyncDisposableStack,
): Promise<RunningProxy> {
  const metrics = new Metrics(() => parts.status(), () => relay);
  const isIdle = () => relay.active === 0 && !relay.queued;
  let becameIdle = () => {};
  const told = { noneActive() {} };
  const broken = Promise.withResolvers<never>();
  // That it ends the proxy does not depend on who waits for it just then.
  broken.promise.catch(() => {});
  const started = Promise.withResolvers<(request: Request) => Promise<Response>>();
  // All that may fail comes before there is a relay: once something is taken over, nobody else has it.
  const socket = await ControlSocket.serve(path, group, async (request) => {
    return await (await started.promise)(request);
  });
  undo.defer(() => socket.close());
  const beginSuccession = await bindHandover(path, options, undo);
  // The relay holds until the drain opens it, so it has nothing to tell before all this is there.
  const relay = await beginning.makeRelay(
    relayReporter(log, metrics, options.logLevel === "debug", {
      noneActive() {
        // Of connections that were taken over it may tell before there is a drain.
        told.noneActive();
        if (isIdle()) becameIdle();
      },
      async broken(error) {
        await log.flush();
        broken.reject(
          new Failure(`The relay broke, and every connection with it: ${error.message}`),
        );
      },
    }),
  );
  undo.defer(() => relay.shutDown());
  const { directory } = beginning;
  let succession: Succession | null = null;
  const reportDrain = drainReporter(log, metrics);
  const drain = new Drain({
    relay,
    clock: systemClock,
    store: new RecordFile(pathsIn(directory.path).record),
    commandUpstream: options.upstream,
    report(event) {
      reportDrain(event);
      if (event.type === "resumed") idleExit.opened();
    },
  });
  told.noneActive = () => drain.noneActive();
  const idleExit = new IdleExit(options.exitIdleTime, { relay, drain, clock: systemClock, log });
  const keeper = () => succession?.keeper ?? null;
  let upgrading: Promise<number> | null = null;
  const stopping = new AbortController();
  const upgrade = () =>
    upgrading ??= beginUpgrade(path, succession, stopping.signal).finally(() => upgrading = null);
  const parts = controlled(relay, drain, metrics, keeper, upgrade);
  const handle = controlHandler(parts, (error) => {
    log.error(`Failed to serve a control request: ${error}`, { event: "internal" });
  });
  /** Once something is taken over nobody else has it, so that nothing may end this process. */
  const unlessAlone = (error: unknown) => {
    if (!beginning.isSuccession) throw error;
    log.error(`Failed to be found in ${path}: ${messageOf(error)}`, { event: "internal" });
    return null;
  };
  await socket.appear().catch(unlessAlone);
  // A relay that breaks may never open.
  await Promise.race([beginning.start(drain), broken.promise]);
  idleExit.opened();
  succession = await beginSuccession(relay, drain, directory, log).catch(unlessAlone);
  // Whoever is answered may have this one succeeded at once.
  started.resolve(handle);
  logStart(log, parts.status(), relay.maxConnections, directory.path);
  await tellServiceManager({ state: "ready" });

  const giveBack = async () => {
    await succession?.close();
    // Somebody always answers.
    await (succession?.isGone ? socket.giveWay() : socket.close());
    await log.flush();
    directory[Symbol.dispose]();
  };
  const ended = Promise.race([
    idleExit.over.then(giveBack),
    ...succession === null ? [] : [succession.gone.then(giveBack)],
    broken.promise,
  ]);
  ended.catch(() => {});
  return {
    ended,
    async stop(cutShort) {
      if (await idleExit.stop()) return await ended;
      // Whoever takes over just now has everything; whoever comes later would find nothing.
      await succession?.close();
      if (succession?.isGone) return await ended;
      // It would find this one gone.
      stopping.abort(new ApiError("stopping", "The proxy is stopping"));
      await tellServiceManager({ state: "stopping" });
      const idle = () =>
        isIdle() ? Promise.resolve() : new Promise<void>((resolve) => becameIdle = resolve);
      const timeout = options.stopTimeout;
      await finish({ relay, drain, keeper: keeper(), log, timeout, idle, cutShort });
      await giveBack();
    },
  };
}

/** Has a new process take over. @throws {ApiError} when there is no way, or it does not */
async function beginUpgrade(
  directory: string,
  succession: Succession | null,
  stopping: AbortSignal,
): Promise<number> {
  stopping.throwIfAborted();
  if (succession === null) {
    const message = "The portable relay cannot be taken over from: stop the proxy and start it";
    throw new ApiError("not_upgradable", message);
  }
  if (succession.keeper !== null) {
    throw new ApiError("parked", "The proxy is parked: stop it, and start its successor");
  }
  const { upgrade } = await import("./upgrade.ts");
  return await upgrade(directory, succession.gone, stopping);
}

/** Tells the service manager how this process is doing, if there is one that wants to know. */
async function tellServiceManager(told: ServiceState): Promise<void> {
  if (!Deno.env.get("NOTIFY_SOCKET") || whyNoEpoll() !== null) return;
  const { tellServiceManager } = await import("../linux/service_manager.ts");
  tellServiceManager(told);
}

/** Lets another process take over, where the relay can be moved. */
type BeginSuccession = (
  relay: Relay,
  drain: Drain,
  directory: OwnedDirectory,
  log: Log,
) => Promise<Succession | null>;

/**
 * Makes all that is needed so that another process can take over, where one can.
 *
 * @param undo gets what must be given back if the rest fails
 */
async function bindHandover(
  path: string,
  options: ProxyOptions,
  undo: AsyncDisposableStack,
): Promise<BeginSuccession> {
  if (chooseRelay(options.relay).kind !== "epoll") return () => Promise.resolve(null);
  const { Succession } = await import("./succession.ts");
  const { HandoverSocket } = await import("../handover/listener.ts");
  const socket = await HandoverSocket.bind(path);
  undo.defer(() => socket.close());
  return async (relay, drain, { lock }, log) => {
    if (relay.kind === "epoll" && lock !== null) {
      return await Succession.begin({ socket, lock, relay: relay as EpollRelay, drain, log });
    }
    await socket.close();
    return null;
  };
}

function logStart(
  log: Log,
  { listen, upstream, state, relay, threads, pid, version }: Status,
  maxConnections: number | null,
  runtimeDirectory: string,
): void {
  const inherited = isSocketActivated();
  const passedOn = inherited ? " (passed on by the service manager)" : "";
  const carried = threads === 1 ? `${relay} relay` : `${relay} relay with ${threads} threads`;
  const most = maxConnections === null ? "" : `, at most ${maxConnections} connections`;
  log.info(`Listening on ${listen}${passedOn}, upstream ${upstream}, ${state}; ${carried}${most}`, {
    event: "listen",
    listen,
    inherited,
    upstream,
    state,
    relay,
    threads,
    ...(maxConnections !== null && { maxConnections }),
    pid,
    version,
    runtimeDirectory,
  });
}
