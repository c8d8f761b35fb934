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
import { Channel } from "../handover/channel.ts";
import type { Estate } from "../handover/giver.ts";
import { NobodyThere } from "../handover/nobody_there.ts";
import { rehearse } from "../handover/rehearsal.ts";
import { ask, commit, GiverDied, giveUp, type Offer, take } from "../handover/receiver.ts";
import { ECONNREFUSED, SystemError } from "../linux/errno.ts";
import { libc } from "../linux/libc.ts";
import { cookieOf } from "../linux/socket.ts";
import { connectToPath } from "../linux/unix_socket.ts";
import { EpollRelay } from "../relay/epoll/relay.ts";
import { startWorkers } from "../relay/epoll/workers.ts";
import type { RelayEvents } from "../relay/relay.ts";
import { DirectoryTaken, OwnedDirectory, pathsIn } from "../runtime_directory.ts";
import { FIRST_INHERITED_DESCRIPTOR, isSocketActivated } from "../socket_activation.ts";
import { beginAnew, type Beginning } from "./beginning.ts";
import { relayOptions } from "./listen.ts";
import type { Log } from "./log.ts";
import type { ProxyOptions } from "./options.ts";

/** What is needed to take over. */
export interface TakeoverParts {
  readonly options: ProxyOptions;
  readonly path: string;
  readonly group: number | null;
  readonly log: Log;
  /** Why the directory could not be had otherwise. */
  readonly taken: DirectoryTaken;
}

/**
 * Asks the process that has the directory whether it gives everything up. Nothing has happened yet
 * when this returns.
 *
 * @throws {NobodyThere} when that process has just gone, and perhaps another is about to be there
 * @throws {Failure} when it does not, or has something else than what is wanted
 */
export async function beginByTakeover(parts: TakeoverParts): Promise<Beginning> {
  const { options, path, group, log, taken } = parts;
  const channel = connect(path, taken);
  const offer = ask(channel);
  await checkOffer(offer, options.listen);
  const settings = relayOptions(options, "epoll");
  // Everything that takes time comes before the other process is asked to stop.
  const workers = await startWorkers(settings.threads);
  rehearse();
  const { kind, pid, version } = offer;
  const isKeeper = kind === "keeper";
  let record: DrainRecord | null = null;
  let directory: OwnedDirectory | undefined;
  let snapshot: unknown;
  /** If there was nothing left to take over. */
  let anew: Beginning | null = null;
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
        const message = `${error.message}: its clients are lost, and this one begins anew`;
        log.error(message, { event: "giver_died", from: pid });
        for (const worker of workers) worker.terminate();
        directory = await OwnedDirectory.take(path, group);
        anew = beginAnew(options, directory, log);
        return await anew.makeRelay(events);
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
      channel[Symbol.dispose]();
      // It is the same socket.
      if (isSocketActivated()) libc.close(FIRST_INHERITED_DESCRIPTOR);
      directory = await OwnedDirectory.inherit(path, estate.lock);
      const { length } = estate.relay.connections;
      log.info(
        `Took over from the ${kind} with process ${pid}: ${length} connections, ` +
          `paused for ${paused.toFixed(1)}ms`,
        { event: "taken_over", kind, from: pid, version, connections: length, paused },
      );
      return relay;
    },
    async start(drain) {
      if (anew !== null) return await anew.start(drain);
      // A keeper keeps a socket, nothing else: the drain is what was recorded. It never opens.
      if (isKeeper) await drain.start(record, true);
      else await drain.takeOver(parseSnapshot(snapshot));
    },
  };
}

/**
 * @throws {NobodyThere} when nobody waits at the socket, though there is one
 * @throws {DirectoryTaken} when nobody can take over there
 */
function connect(path: string, taken: DirectoryTaken): Channel {
  try {
    return new Channel(connectToPath(pathsIn(path).handover));
  } catch (error) {
    const refused = error instanceof SystemError && error.number === ECONNREFUSED;
    if (refused) throw new NobodyThere(taken.message);
    const why = "has the portable relay, or is just starting or ending";
    throw new DirectoryTaken(`${taken.message}. Nothing can be taken over from one that ${why}`);
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
