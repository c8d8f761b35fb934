/**
 * Takes over from the process that has the runtime directory: its listening socket, its live
 * connections, and its drain.
 *
 * @module
 */

import { Failure } from "../failure.ts";
import { type DrainRecord, withNewLease } from "../drain/record.ts";
import { parseSnapshot } from "../drain/snapshot.ts";
import { RecordFile } from "../drain/store.ts";
import { Channel, PATIENCE } from "../handover/channel.ts";
import { NobodyThere } from "../handover/nobody_there.ts";
import {
  ask,
  commit,
  GiverDied,
  giveUp,
  type Offer,
  take,
  takeAhead,
  type Taken,
} from "../handover/receiver.ts";
import { VERSION_BEFORE } from "../handover/version_before.ts";
import { EAGAIN, ECONNREFUSED, ESRCH, SystemError } from "../linux/errno.ts";
import { duplicate } from "../linux/duplicate.ts";
import { libc } from "../linux/libc.ts";
import { whichBecomesReadable } from "../linux/poll.ts";
import { sendServiceState } from "../linux/service_manager.ts";
import { connectToPath } from "../linux/unix_socket.ts";
import { consequenceOfEnd } from "../reaper/consequences.ts";
import { Line } from "../reaper/line.ts";
import { EpollRelay } from "../relay/epoll/relay.ts";
import { whyUnusable } from "../relay/epoll/upstream.ts";
import type { Foundation } from "../relay/epoll/moved.ts";
import type { RelayEvents, RelayOptions } from "../relay/relay.ts";
import type { DirectoryTaken } from "../runtime_directory/lock.ts";
import { OwnedDirectory } from "../runtime_directory/owned_directory.ts";
import { pathsIn } from "../runtime_directory/paths.ts";
import type { Beginning, Begun } from "./beginning.ts";
import { relayOptions } from "./listen.ts";
import { isLaunched, predecessor } from "./predecessor.ts";
import type { Log } from "./log.ts";
import {
  checkSockets,
  offeredAddresses,
  offeredSockets,
  type OwnSocket,
  ownSockets,
} from "./offered.ts";
import type { ProxyOptions } from "./options.ts";
import type { SpareWorkers } from "./spare_workers.ts";

/** How long the other process may take to be gone when it has given everything, in milliseconds. */
const LEAVES_WITHIN = 10_000;

/** What is needed to take over. */
export interface TakeoverParts {
  readonly options: ProxyOptions;
  readonly path: string;
  readonly group: number | null;
  readonly log: Log;
  /** Why the directory could not be had otherwise. */
  readonly taken: DirectoryTaken;
  /** The threads, started: what takes time comes before another process is asked to wait. */
  readonly workers: SpareWorkers;
}

/** What somebody offers, and what is made of it. */
interface Asked extends TakeoverParts {
  readonly channel: Channel;
  readonly offer: Offer;
  readonly settings: RelayOptions;
  /** Sockets that the service manager passed on to this process, and that are offered as well. */
  readonly same: readonly OwnSocket[];
  /** Those that are not offered: passed on since. Whoever waits there is to be served as well. */
  readonly more: readonly OwnSocket[];
}

/**
 * Asks the process that has the directory whether it gives everything up. Nothing has happened yet
 * when this returns.
 *
 * @throws {NobodyThere} when that process has just gone, and perhaps another is about to be there
 * @throws {Failure} when it does not, or has something else than what is wanted
 */
export async function beginByTakeover(parts: TakeoverParts): Promise<Beginning> {
  const { options, path, log, taken } = parts;
  const channel = connect(path, taken, log);
  let offer: Offer;
  let own: OwnSocket[];
  try {
    offer = ask(channel);
    refuseRunning(offer, parts);
    refuseEnding(offer, channel);
    own = ownSockets(options.listen);
    await checkOffer(offer, options, own);
  } catch (error) {
    channel[Symbol.dispose]();
    throw error;
  }
  const settings = relayOptions(options, "epoll");
  const offered = new Set(offeredSockets(offer).map(({ cookie }) => cookie));
  const same = own.filter(({ cookie }) => offered.has(cookie));
  const more = own.filter(({ cookie }) => !offered.has(cookie));
  const asked = { ...parts, channel, offer, settings, same, more };
  return { isSuccession: true, makeRelay: (events) => takeOver(asked, events) };
}

/**
 * Takes everything over.
 *
 * @throws {NobodyThere} when the other process died meanwhile: another can begin anew
 * @throws {Failure} when it cannot be had; the other process goes on
 */
async function takeOver(asked: Asked, events: RelayEvents): Promise<Begun> {
  const { path, group, log, channel, offer: { reaper } } = asked;
  const { relay, start, estate, begun } = await takeAll(asked, events);
  const isTied = reaper !== undefined && estate.line !== null;
  const line = isTied ? Line.join(reaper, estate.line) : null;
  await relay.thaw();
  const paused = performance.now() - begun;
  // Before the other process ends: a service manager may watch that one.
  sendServiceState({ state: "succeeded" });
  void (channel.pid === reaper ? seeReaper(channel, log) : seeGone(channel, log));
  for (const { descriptor } of [...asked.same, ...asked.more]) libc.close(descriptor);
  const directory = await OwnedDirectory.inherit(path, estate.lock, group);
  report(asked, relay.moving.arrived, paused);
  return { relay, directory, line, start };
}

/** What has been taken, and what was made of it. */
interface Committed {
  readonly relay: EpollRelay;
  readonly start: Begun["start"];
  readonly estate: Taken;
  /** Since when the other process has touched nothing, by `performance.now()`. */
  readonly begun: number;
}

/** Takes all, and is certain of it. */
async function takeAll(asked: Asked, events: RelayEvents): Promise<Committed> {
  const { channel, offer } = asked;
  const made: Made = {};
  const make = (on: Foundation) => made.relay = foundRelay(on, asked, events);
  try {
    if (offer.tellsAhead) await takeAhead(channel, offer, (ahead) => make(ahead).moving);
    const begun = performance.now();
    const estate = take(channel, offer, 2 * (made.relay?.moving.arrived ?? 0));
    const prepared = await prepare(estate, asked, made.relay, make);
    await commit(channel);
    return { ...prepared, estate, begun };
  } catch (error) {
    throw await undone(error, asked, made);
  }
}

/** What has been made so far. */
interface Made {
  relay?: EpollRelay;
}

function foundRelay(
  foundation: Foundation,
  { settings, workers, more }: Asked,
  events: RelayEvents,
): EpollRelay {
  // Should nothing come of this, the sockets that were passed on are still to be had.
  const ours = more.map(({ descriptor }) => duplicate(descriptor));
  const listeners = [...foundation.listeners, ...ours];
  return EpollRelay.found({ ...foundation, listeners }, settings, events, workers.take());
}

/** Gives back what was taken. @returns what is to be thrown */
async function undone(error: unknown, { log, offer }: Asked, { relay }: Made): Promise<unknown> {
  if (!(error instanceof GiverDied)) {
    await relay?.leave();
    return error;
  }
  // Nobody may take this for the end of what they were sent.
  await relay?.shutDown();
  const { message } = error;
  log.error(`${message}: its clients are lost`, { event: "giver_died", from: offer.pid });
  // It is dead, so whoever asks again finds nobody in the way.
  return new NobodyThere(message);
}

/**
 * Makes of it what this process works with: all that may fail before it is ours.
 *
 * @param known the relay, if it was told of connections ahead
 */
async function prepare(
  { relay: moved, drain }: Taken,
  asked: Asked,
  known: EpollRelay | undefined,
  make: (foundation: Foundation) => EpollRelay,
): Promise<{ readonly relay: EpollRelay; readonly start: Begun["start"] }> {
  try {
    const start = await startOf(drain, asked);
    // It has listened at them since it was told ahead.
    if (known !== undefined) { for (const listener of moved.listeners) libc.close(listener); }
    const relay = known ?? make(moved);
    await relay.complete(moved);
    return { relay, start };
  } catch (error) {
    giveUp(asked.channel, [], error);
    throw error;
  }
}

/** How the drain goes on. @param drain as it was given */
async function startOf(
  drain: unknown,
  { path, log, offer }: Asked,
): Promise<Begun["start"]> {
  if (offer.kind === "keeper") {
    // A keeper keeps a socket, nothing else: the drain is what was recorded. It never opens.
    const record = await readRecord(path, log);
    return (ours) => ours.start(record, true);
  }
  const snapshot = parseSnapshot(drain);
  return (ours) => ours.takeOver(snapshot);
}

function report(
  { options, log, channel, offer: { kind, pid, version } }: Asked,
  connections: number,
  paused: number,
): void {
  const elsewhere = channel.pid === 0 ? " in another PID namespace" : "";
  log.info(
    `Took over from the ${kind} with process ${pid}${elsewhere}: ${connections} connections, ` +
      `paused for ${paused.toFixed(1)}ms`,
    {
      event: "taken_over",
      kind,
      from: pid,
      version,
      connections,
      pausedMilliseconds: Math.round(paused),
    },
  );
  if (options.startDrained) {
    log.warning("--start-drained has no effect: the state was taken over as well", {
      event: "not_start_drained",
    });
  }
}

/**
 * Sees to it that the process that has given everything ends. As long as it does not, it may keep
 * sockets open that this one closes.
 */
async function seeGone(channel: Channel, log: Log): Promise<void> {
  using _channel = channel;
  if (await channel.outlivesWithin(LEAVES_WITHIN)) return;
  const { name, pid } = channel;
  log.warning(`After handing over, ${name} does not end: it is killed`, { event: "killed", pid });
  channel.kill(0);
  if (await channel.outlivesWithin(LEAVES_WITHIN)) return;
  log.warning(
    `From here ${name} cannot be killed: until it has ended, clients may not see that they are cut`,
    { event: "lingers", pid },
  );
}

/** As {@linkcode seeGone}, of one that cannot end: it becomes the reaper, and so hangs up. */
async function seeReaper(channel: Channel, log: Log): Promise<void> {
  using _channel = channel;
  const { pid } = channel;
  if ((await whichBecomesReadable([channel.descriptor], LEAVES_WITHIN)).length > 0) {
    const message = `Process ${pid} stays: it waits for those who take over from each other`;
    return log.info(message, { event: "reaper", pid });
  }
  log.warning(
    `Process ${pid} has handed over and does not let go; it cannot be killed, because ` +
      "all others would end with it",
    { event: "lingers", pid },
  );
}

/**
 * @throws {NobodyThere} when nobody waits at the socket, which may be about to change
 * @throws {Failure} when nobody answers there
 */
function connect(path: string, taken: DirectoryTaken, log: Log): Channel {
  const warn = (message: string) => log.warning(message, { event: "waits_for_other" });
  try {
    return new Channel(connectToPath(pathsIn(path).handover, PATIENCE), warn);
  } catch (error) {
    const number = error instanceof SystemError ? error.number : 0;
    if (number === ECONNREFUSED || number === ESRCH) throw new NobodyThere(taken.message);
    if (number === EAGAIN) throw new Failure(`${taken.message}; it does not answer`);
    const why = "has the portable relay, or is just starting or ending";
    throw new NobodyThere(`${taken.message}. Nothing can be taken over from one that ${why}`);
  }
}

/** What a parked proxy recorded, with a lease that begins now: nobody could renew it meanwhile. */
async function readRecord(path: string, log: Log): Promise<DrainRecord | null> {
  const store = new RecordFile(pathsIn(path).record);
  const record = await store.read((message) => log.error(message, { event: "corrupt" }));
  return record && withNewLease(record, Date.now());
}

/**
 * A second start by accident must not replace what runs.
 *
 * @throws {Failure} when it is a proxy that runs, and nobody has said that it may be taken over from
 */
function refuseRunning({ kind, pid }: Offer, { options, path }: TakeoverParts): void {
  if (kind === "keeper" || options.takeover === "always" || isLaunched()) return;
  throw new Failure(
    `Another proxy (process ${pid}) runs with the runtime directory ${path}: to replace it use ` +
      "proxyctl upgrade, to take over from it --takeover always, to run beside it another " +
      "--runtime-dir",
  );
}

/**
 * The version before always ends when it is succeeded (see {@linkcode consequenceOfEnd}).
 *
 * @throws {Failure} when this process would end with it
 */
function refuseEnding({ kind, version }: Offer, { pid, name }: Channel): void {
  // Of one in another PID namespace there is no number, and its end is nothing to this one.
  if (version !== VERSION_BEFORE || kind === "keeper" || pid === 0) return;
  if (consequenceOfEnd(pid) !== "ends") return;
  throw new Failure(
    `Failed to take over: ${name}, of version ${version}, then ends, and everything in its ` +
      "container with it: restart the container instead",
  );
}

/** @throws {Failure} when they are not the sockets that are wanted, or the upstream cannot be used */
async function checkOffer(
  offer: Offer,
  { listen: wanted, upstream }: ProxyOptions,
  own: readonly OwnSocket[],
): Promise<void> {
  const { pid } = offer;
  // Somebody else's successor may have come first, with options that are to stay.
  if (pid !== (predecessor() ?? pid)) {
    throw new Failure(`Process ${pid} has taken over from the proxy that was to be succeeded`);
  }
  await checkSockets(offer, wanted, own);
  const why = await whyUnusable(upstream, offeredAddresses(offer, wanted));
  if (why !== null) throw new Failure(why);
}
