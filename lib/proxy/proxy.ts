/**
 * A proxy, put together: the relay, the drain, the control socket, the log and the metrics.
 *
 * @module
 */

import { formatAddress } from "../address.ts";
import { systemClock } from "../clock.ts";
import { Failure } from "../command_line.ts";
import type { Status } from "../control/api.ts";
import { controlHandler, type Controlled } from "../control/server.ts";
import { serveControl } from "../control/socket.ts";
import { Drain } from "../drain.ts";
import { RecordFile } from "../drain/store.ts";
import { groupId } from "../group.ts";
import { PortableRelay } from "../relay/portable/relay.ts";
import { probe } from "../relay/probe.ts";
import type { Relay, RelayEvents } from "../relay/relay.ts";
import { OwnedDirectory, pathsIn, runtimeDirectory } from "../runtime_directory.ts";
import { VERSION } from "../version.ts";
import { finish } from "./finish.ts";
import { type Log, openLog } from "./log.ts";
import { Metrics } from "./metrics.ts";
import type { ProxyOptions } from "./options.ts";
import { drainReporter, relayReporter } from "./reporter.ts";
import { whoListens } from "./who_listens.ts";

/** A proxy that runs. */
export interface RunningProxy {
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
 * @throws {Failure} when it cannot start; then nothing is left behind
 */
export async function startProxy(options: ProxyOptions): Promise<RunningProxy> {
  const group = options.controlGroup === undefined ? null : await groupId(options.controlGroup);
  const path = runtimeDirectory(options.runtimeDir, options.listen);
  await using undo = new AsyncDisposableStack();
  const directory = await OwnedDirectory.take(path, group);
  undo.defer(() => directory.abandon());
  const log = await openLog(options.logFormat, options.logLevel);
  undo.defer(() => log.flush());
  const proxy = await open(options, directory, group, log, undo);
  undo.move();
  return proxy;
}

/** @param undo gets what must be given back if this fails */
async function open(
  options: ProxyOptions,
  directory: OwnedDirectory,
  group: number | null,
  log: Log,
  undo: AsyncDisposableStack,
): Promise<RunningProxy> {
  const store = new RecordFile(pathsIn(directory.path).record);
  const record = await store.read((message) => log.error(message, { event: "corrupt" }));
  const metrics = new Metrics(() => controlled.status(), () => relay.counters);
  const isIdle = () => relay.active === 0 && !relay.queued;
  let becameIdle = () => {};
  // The relay holds until the drain opens it, so it has nothing to tell before all this is there.
  const relay = await listen(
    options,
    relayReporter(log, metrics, () => {
      drain.noneActive();
      if (isIdle()) becameIdle();
    }),
  );
  undo.defer(() => relay.shutDown());
  const drain = new Drain({
    relay,
    clock: systemClock,
    store,
    commandUpstream: options.upstream,
    report: drainReporter(log, metrics),
  });
  const controlled = control(relay, drain, metrics);
  const started = Promise.withResolvers<void>();
  const handle = controlHandler(controlled, (error) => {
    log.error(`Failed to serve a control request: ${error}`, { event: "internal" });
  });
  const socket = await serveControl(directory.path, group, async (request) => {
    await started.promise;
    return await handle(request);
  });
  undo.defer(() => socket.close());
  await drain.start(record, options.startDrained);
  started.resolve();
  const { listen: listening, upstream, state } = controlled.status();
  log.info(`Listening on ${listening}, upstream ${upstream}, ${state}`, {
    event: "listen",
    listen: listening,
    upstream,
    state,
    relay: relay.kind,
    pid: Deno.pid,
    version: VERSION,
    runtimeDirectory: directory.path,
  });
  return {
    async stop(cutShort) {
      const idle = () =>
        isIdle() ? Promise.resolve() : new Promise<void>((resolve) => becameIdle = resolve);
      await finish({ relay, drain, log, timeout: options.stopTimeout, idle, cutShort });
      await socket.close();
      await log.flush();
      directory[Symbol.dispose]();
    },
  };
}

async function listen(options: ProxyOptions, events: RelayEvents): Promise<Relay> {
  try {
    return await PortableRelay.listen(
      options.listen,
      {
        ...options,
        maxConnections: options.maxConnections ?? null,
        threads: 1,
        keepAlive: 60_000,
        userTimeout: null,
      },
      events,
    );
  } catch (error) {
    const { code, message } = error as { code?: string; message: string };
    const where = formatAddress(options.listen);
    if (code !== "EADDRINUSE") throw new Failure(`Failed to listen on ${where}: ${message}`);
    const who = await whoListens(options.listen.port);
    throw new Failure(
      `Failed to listen on ${where}: the port is taken by ${who ?? "another program"}`,
    );
  }
}

function control(relay: Relay, drain: Drain, metrics: Metrics): Controlled {
  const startedAt = new Date().toISOString();
  const iso = (time: number | null) => time === null ? null : new Date(time).toISOString();
  return {
    relay,
    drain,
    metrics: () => metrics.read(),
    upstreamAnswers: (timeout) => probe(relay.upstream, timeout),
    status(): Status {
      const { state, owner, reason, since, deadline, leaseExpires } = drain.status;
      const { accepted, bytesUp, bytesDown } = relay.counters;
      return {
        state,
        active: relay.active,
        queued: relay.queued,
        listen: formatAddress(relay.listen),
        upstream: formatAddress(relay.upstream),
        owner,
        reason,
        since: iso(since),
        deadline: iso(deadline),
        leaseExpires: iso(leaseExpires),
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
