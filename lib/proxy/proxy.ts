/**
 * A proxy, put together: the relay, the drain, the control socket, the log and the metrics.
 *
 * @module
 */

import { setTimeout as delay } from "node:timers/promises";
import { controlHandler } from "../control/server.ts";
import type { Handler } from "../control/http/messages.ts";
import { ControlSocket } from "../control/socket.ts";
import { Failure } from "../failure.ts";
import { NobodyThere } from "../handover/nobody_there.ts";
import { messageOf } from "../message_of.ts";
import { chooseRelay } from "../relay/choose.ts";
import { OwnedDirectory } from "../runtime_directory/owned_directory.ts";
import { DirectoryTaken } from "../runtime_directory/lock.ts";
import { runtimeDirectory } from "../runtime_directory/paths.ts";
import { assemble, type Assembly } from "./assembly.ts";
import { beginAnew, type Beginning, type Listen } from "./beginning.ts";
import { groupId } from "./group.ts";
import { Handover } from "./handover.ts";
import { type Log, openLog } from "./log.ts";
import type { ProxyOptions } from "./options.ts";
import { forgetPredecessor, isLaunched } from "./predecessor.ts";
import { reportStart } from "./reporter.ts";
import { RunningProxy } from "./running.ts";
import { refuseTooMany } from "./room.ts";
import { SpareWorkers } from "./spare_workers.ts";
import { tellServiceManager } from "./tell_service_manager.ts";

/** For how long it is tried to take over from somebody who is about to be there, in milliseconds. */
const BEGIN_WITHIN = 5000;
/** How soon it is tried again, in milliseconds. */
const BEGIN_AGAIN_AFTER = 20;

/**
 * Starts a proxy.
 *
 * @param listenAsWanted makes its relay, where nothing is taken over
 * @throws {Failure} when it cannot start; then nothing is left behind
 */
export async function startProxy(
  options: ProxyOptions,
  listenAsWanted?: Listen,
): Promise<RunningProxy> {
  const group = options.controlGroup === undefined ? null : await groupId(options.controlGroup);
  const path = runtimeDirectory(options.runtimeDir, options.listen);
  // A successor has what its predecessor had.
  if (!isLaunched()) await refuseTooMany(options);
  const log = await openLog(options.logFormat, options.logLevel);
  const parts = { options, path, group, log };
  const workers = new SpareWorkers(options);
  try {
    return await insist(async () => {
      await using undo = new AsyncDisposableStack();
      const beginning = await begin(parts, workers, undo, listenAsWanted);
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
  listenAsWanted: Listen | undefined,
): Promise<Beginning> {
  let taken: DirectoryTaken;
  try {
    const directory = await OwnedDirectory.take(path, group);
    undo.defer(() => directory.abandon());
    // Whoever stopped that proxy wants none.
    if (isLaunched()) {
      throw new Failure(
        `Nobody has ${path} any more: the proxy that was to be succeeded has ended, or its runtime ` +
          "directory was removed under it (then restart it)",
      );
    }
    workers.dismiss();
    return beginAnew(options, directory, log, listenAsWanted);
  } catch (error) {
    if (!(error instanceof DirectoryTaken)) throw error;
    taken = error;
  }
  refuseTakeover(options, taken);
  // Not before: what it is made of can only be loaded where it can run.
  const { beginByTakeover } = await import("./takeover.ts");
  await workers.start();
  return await beginByTakeover({ options, path, group, log, taken, workers });
}

/** Tries again while one process ends and another is about to be there: another proxy, or a keeper. */
async function insist(begin: () => Promise<RunningProxy>): Promise<RunningProxy> {
  const deadline = performance.now() + BEGIN_WITHIN;
  for (;;) {
    const begun = performance.now();
    try {
      return await begin();
    } catch (error) {
      if (!(error instanceof NobodyThere) || begun > deadline) throw error;
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
async function open(parts: Parts, undo: AsyncDisposableStack): Promise<RunningProxy> {
  const { options: { stopTimeout }, log } = parts;
  // Before there is a relay, as it may fail: once something is taken over, nobody else has it.
  const sockets = await makeSockets(parts, undo);
  const { handover } = sockets;
  const assembly = await assemble({ ...parts, handover }, undo);
  await beginToServe(sockets, assembly, parts);
  await tellServiceManager({ state: "ready" });
  assembly.serviceStatus.update();
  return new RunningProxy({ ...assembly, ...sockets, log, stopTimeout });
}

/** Where others ask this process for something. */
interface Sockets {
  readonly socket: ControlSocket;
  /** Answers at the control socket; until it is known, whoever asks waits. */
  readonly handler: PromiseWithResolvers<Handler>;
  readonly handover: Handover;
}

/** Makes them; nobody finds them yet. @param undo gets what must be given back if the rest fails */
async function makeSockets(
  { options, path, group }: Parts,
  undo: AsyncDisposableStack,
): Promise<Sockets> {
  const handler = Promise.withResolvers<Handler>();
  const socket = await ControlSocket.serve(path, group, async (request) => {
    return await (await handler.promise)(request);
  });
  undo.defer(() => socket.close());
  const handover = await Handover.bind(path, options);
  undo.defer(() => handover.abandon());
  return { socket, handler, handover };
}

/** Has the sockets be found, and in between the drain start. */
async function beginToServe(
  { socket, handler, handover }: Sockets,
  { begun, drain, idleExit, control, retarget, broken }: Assembly,
  { path, beginning, log }: Parts,
): Promise<void> {
  /** Once something is taken over nobody else has it, so that nothing may end this process. */
  const unlessAlone = (error: unknown) => {
    if (!beginning.isSuccession) throw error;
    log.error(`Failed to be found in ${path}: ${messageOf(error)}`, { event: "internal" });
  };
  await socket.appear().catch(unlessAlone);
  // A relay that breaks may never open.
  await Promise.race([begun.start(drain), broken]);
  idleExit.opened();
  await handover.begin(begun, drain, () => socket.replaced(), log).catch(unlessAlone);
  // Whoever is answered may have this one succeeded at once.
  handler.resolve(controlHandler(control, (error) => {
    log.error(`Failed to serve a control request: ${error}`, { event: "internal" });
  }));
  const { relay, directory } = begun;
  reportStart(log, control.status(), relay.maxConnections, directory.path);
  retarget.tell(relay.upstream);
}
