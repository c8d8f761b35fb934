/**
 * A proxy, put together: the relay, the drain, the control socket, the log and the metrics.
 *
 * @module
 */

import { systemClock } from "../clock.ts";
import { Failure } from "../command_line.ts";
import type { Status } from "../control/api.ts";
import { controlHandler } from "../control/server.ts";
import { serveControl } from "../control/socket.ts";
import { Drain } from "../drain.ts";
import { RecordFile } from "../drain/store.ts";
import { groupId } from "../group.ts";
import { OwnedDirectory, pathsIn, runtimeDirectory } from "../runtime_directory.ts";
import { isSocketActivated } from "../socket_activation.ts";
import { controlled } from "./controlled.ts";
import { finish } from "./finish.ts";
import { IdleExit } from "./idle_exit.ts";
import { listen } from "./listen.ts";
import { type Log, openLog } from "./log.ts";
import { Metrics } from "./metrics.ts";
import type { ProxyOptions } from "./options.ts";
import { drainReporter, relayReporter } from "./reporter.ts";

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
  makeRelay: typeof listen = listen,
): Promise<RunningProxy> {
  const group = options.controlGroup === undefined ? null : await groupId(options.controlGroup);
  const path = runtimeDirectory(options.runtimeDir, options.listen);
  await using undo = new AsyncDisposableStack();
  const directory = await OwnedDirectory.take(path, group);
  undo.defer(() => directory.abandon());
  const log = await openLog(options.logFormat, options.logLevel);
  undo.defer(() => log.flush());
  const proxy = await open({ options, makeRelay, directory, group, log }, undo);
  undo.move();
  return proxy;
}

/** What a proxy is made of. */
interface Parts {
  readonly options: ProxyOptions;
  readonly makeRelay: typeof listen;
  readonly directory: OwnedDirectory;
  readonly group: number | null;
  readonly log: Log;
}

/** @param undo gets what must be given back if this fails */
async function open(
  { options, makeRelay, directory, group, log }: Parts,
  undo: AsyncDisposableStack,
): Promise<RunningProxy> {
  const store = new RecordFile(pathsIn(directory.path).record);
  const record = await store.read((message) => log.error(message, { event: "corrupt" }));
  const metrics = new Metrics(() => parts.status(), () => relay);
  const isIdle = () => relay.active === 0 && !relay.queued;
  let becameIdle = () => {};
  const broken = Promise.withResolvers<never>();
  // That it ends the proxy does not depend on who waits for it just then.
  broken.promise.catch(() => {});
  // The relay holds until the drain opens it, so it has nothing to tell before all this is there.
  const relay = await makeRelay(
    options,
    log,
    relayReporter(log, metrics, options.logLevel === "debug", {
      noneActive() {
        drain.noneActive();
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
  const reportDrain = drainReporter(log, metrics);
  const drain = new Drain({
    relay,
    clock: systemClock,
    store,
    commandUpstream: options.upstream,
    report(event) {
      reportDrain(event);
      if (event.type === "resumed") idleExit.opened();
    },
  });
  const idleExit = new IdleExit(options.exitIdleTime, { relay, drain, clock: systemClock, log });
  const parts = controlled(relay, drain, metrics);
  const started = Promise.withResolvers<void>();
  const handle = controlHandler(parts, (error) => {
    log.error(`Failed to serve a control request: ${error}`, { event: "internal" });
  });
  const socket = await serveControl(directory.path, group, async (request) => {
    await started.promise;
    return await handle(request);
  });
  undo.defer(() => socket.close());
  // A relay that breaks may never open.
  await Promise.race([drain.start(record, options.startDrained), broken.promise]);
  idleExit.opened();
  started.resolve();
  logStart(log, parts.status(), relay.maxConnections, directory.path);

  const giveBack = async () => {
    await socket.close();
    await log.flush();
    directory[Symbol.dispose]();
  };
  const ended = Promise.race([idleExit.over.then(giveBack), broken.promise]);
  ended.catch(() => {});
  return {
    ended,
    async stop(cutShort) {
      if (await idleExit.stop()) return await ended;
      const idle = () =>
        isIdle() ? Promise.resolve() : new Promise<void>((resolve) => becameIdle = resolve);
      await finish({ relay, drain, log, timeout: options.stopTimeout, idle, cutShort });
      await giveBack();
    },
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
