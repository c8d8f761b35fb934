/**
 * Takes over from the process that has the runtime directory: its listening socket, its live
 * connections, and its drain.
 *
 * @module
 */

import { lookup } from "node:dns/promises";
import { type Address, formatAddress, type ListenAddress, parseAddress } from "../address.ts";
import { Failure } from "../command_line.ts";
import { type DrainRecord, withNewLease } from "../drain/record.ts";
import { parseSnapshot } from "../drain/snapshot.ts";
import { RecordFile } from "../drain/store.ts";
import { Channel, PATIENCE } from "../handover/channel.ts";
import type { Estate } from "../handover/giver.ts";
import { NobodyThere } from "../handover/nobody_there.ts";
import { rehearse } from "../handover/rehearsal.ts";
import { ask, commit, GiverDied, giveUp, type Offer, take } from "../handover/receiver.ts";
import { EAGAIN, ECONNREFUSED, ESRCH, SystemError } from "../linux/errno.ts";
import { libc } from "../linux/libc.ts";
import { tellServiceManager } from "../linux/service_manager.ts";
import { cookieOf } from "../linux/socket.ts";
import { connectToPath } from "../linux/unix_socket.ts";
import { EpollRelay } from "../relay/epoll/relay.ts";
import type { RelayEvents } from "../relay/relay.ts";
import { type DirectoryTaken, OwnedDirectory, pathsIn } from "../runtime_directory.ts";
import { FIRST_INHERITED_DESCRIPTOR, isSocketActivated } from "../socket_activation.ts";
import type { Beginning } from "./beginning.ts";
import { relayOptions } from "./listen.ts";
import { predecessor } from "./failure.ts";
import type { Log } from "./log.ts";
import type { ProxyOptions } from "./options.ts";

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
  /** The threads, ready: what takes time comes before another process is asked to wait. */
  readonly workers: readonly Worker[];
}

/**
 * Asks the process that has the directory whether it gives everything up. Nothing has happened yet
 * when this returns.
 *
 * @throws {NobodyThere} when that process has just gone, and perhaps another is about to be there
 * @throws {Failure} when it does not, or has something else than what is wanted
 */
export async function beginByTakeover(parts: TakeoverParts): Promise<Beginning> {
  const { options, path, group, log, taken, workers } = parts;
  const channel = connect(path, taken);
  let offer: Offer;
  try {
    offer = ask(channel);
    await checkOffer(offer, options.listen);
  } catch (error) {
    channel[Symbol.dispose]();
    throw error;
  }
  rehearse();
  const settings = relayOptions(options, "epoll");
  const { kind, pid, version } = offer;
  const isKeeper = kind === "keeper";
  let record: DrainRecord | null = null;
  let directory: OwnedDirectory | undefined;
  let snapshot: unknown;
  return {
    get directory() {
      if (directory === undefined) throw new Error("Nothing has been taken over yet");
      return directory;
    },
    isSuccession: true,
    async makeRelay(events: RelayEvents) {
      const begun = performance.now();
      let estate: Estate;
      try {
        estate = take(channel);
      } catch (error) {
        if (!(error instanceof GiverDied)) throw error;
        log.error(`${error.message}: its clients are lost`, { event: "giver_died", from: pid });
        // It is dead, so whoever asks again finds nobody in the way.
        throw new NobodyThere(error.message);
      }
      let relay: EpollRelay;
      try {
        if (isKeeper) record = await readRecord(path, log);
        else snapshot = parseSnapshot(estate.drain);
        relay = await EpollRelay.takeOver(estate.relay, settings, events, workers);
      } catch (error) {
        giveUp(channel, [], error);
        throw error;
      }
      commit(channel);
      await relay.thaw();
      const paused = performance.now() - begun;
      // Before the other process ends: a service manager may watch that one.
      tellServiceManager({ state: "succeeded" });
      void seeGone(channel, log);
      // It is the same socket.
      if (isSocketActivated()) libc.close(FIRST_INHERITED_DESCRIPTOR);
      directory = await OwnedDirectory.inherit(path, estate.lock, group);
      const { length } = estate.relay.connections;
      log.info(
        `Took over from the ${kind} with process ${pid}: ${length} connections, ` +
          `paused for ${paused.toFixed(1)}ms`,
        { event: "taken_over", kind, from: pid, version, connections: length, paused },
      );
      if (options.startDrained) {
        log.warning("--start-drained has no effect: the state was taken over as well", {
          event: "not_start_drained",
        });
      }
      return relay;
    },
    async start(drain) {
      // A keeper keeps a socket, nothing else: the drain is what was recorded. It never opens.
      if (isKeeper) await drain.start(record, true);
      else await drain.takeOver(parseSnapshot(snapshot));
    },
  };
}

/**
 * Sees to it that the process that has given everything ends. As long as it does not, it may keep
 * sockets open that this one closes.
 */
async function seeGone(channel: Channel, log: Log): Promise<void> {
  using _channel = channel;
  if (await channel.outlivesWithin(LEAVES_WITHIN)) return;
  log.warning(`Process ${channel.pid} has handed over and does not end: it is killed`, {
    event: "killed",
    pid: channel.pid,
  });
  channel.kill();
}

/**
 * @throws {NobodyThere} when nobody waits at the socket, which may be about to change
 * @throws {Failure} when nobody answers there
 */
function connect(path: string, taken: DirectoryTaken): Channel {
  try {
    return new Channel(connectToPath(pathsIn(path).handover, PATIENCE));
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

/** @throws {Failure} when it is not the socket that is wanted */
async function checkOffer(
  { kind, listen, pid, cookie }: Offer,
  wanted: ListenAddress,
): Promise<void> {
  // Somebody else's successor may have come first, with options that are to stay.
  if (pid !== (predecessor() ?? pid)) {
    throw new Failure(`Process ${pid} has taken over from the proxy that was to be succeeded`);
  }
  if (!await isSame(parseAddress(listen), wanted)) {
    throw new Failure(
      `The ${kind} with process ${pid} and this runtime directory listens on ${listen}, not on ` +
        `${formatAddress(wanted)}: stop it first, or choose another --runtime-dir`,
    );
  }
  if (isSocketActivated() && cookieOf(FIRST_INHERITED_DESCRIPTOR) !== cookie) {
    throw new Failure(
      `The socket that the service manager passed on is not the one that the ${kind} with process ` +
        `${pid} listens on, though both are ${listen}: stop that ${kind} first`,
    );
  }
}

async function isSame(there: Address, wanted: ListenAddress): Promise<boolean> {
  if (wanted.port !== 0 && wanted.port !== there.port) return false;
  if (wanted.host === null) return there.host === "::" || there.host === "0.0.0.0";
  const { address } = await lookup(wanted.host).catch(() => ({ address: wanted.host }));
  return address === there.host;
}
