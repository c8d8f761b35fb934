/**
 * How a proxy begins: by itself, or by taking over from one that runs.
 *
 * @module
 */

import type { Drain } from "../drain/drain.ts";
import { RecordFile } from "../drain/store.ts";
import type { Line } from "../reaper/line.ts";
import type { Relay, RelayEvents } from "../relay/relay.ts";
import type { OwnedDirectory } from "../runtime_directory/owned_directory.ts";
import { pathsIn } from "../runtime_directory/paths.ts";
import { listen } from "./listen.ts";
import type { Log } from "./log.ts";
import type { ProxyOptions } from "./options.ts";

/** How a proxy begins. */
export interface Beginning {
  /** Whether another process served before this one, and may still be taken for the proxy. */
  readonly isSuccession: boolean;
  /** Makes the relay, and with it has all that a proxy begins with. */
  makeRelay(events: RelayEvents): Promise<Begun>;
}

/** What a proxy has begun with. */
export interface Begun {
  /** It holds. */
  readonly relay: Relay;
  /** The runtime directory. */
  readonly directory: OwnedDirectory;
  /** What ties this process to a reaper, if it has one. */
  readonly line: Line | null;
  /** Starts the drain. */
  start(drain: Drain): Promise<void>;
}

/** Makes the relay that the options ask for, and says in the log what comes of them. */
export type Listen = typeof listen;

/**
 * Begins anew.
 *
 * @param directory is ours
 * @param listenAsWanted makes the relay
 */
export function beginAnew(
  options: ProxyOptions,
  directory: OwnedDirectory,
  log: Log,
  listenAsWanted: Listen = listen,
): Beginning {
  return {
    isSuccession: false,
    async makeRelay(events) {
      const relay = await listenAsWanted(options, log, events);
      return {
        relay,
        directory,
        line: null,
        start: (drain) => start(drain, options, directory, log),
      };
    },
  };
}

/** Has the drain go on with what was recorded, if anything was. */
async function start(
  drain: Drain,
  { startDrained }: ProxyOptions,
  { path }: OwnedDirectory,
  log: Log,
): Promise<void> {
  const store = new RecordFile(pathsIn(path).record);
  const record = await store.read((message) => log.error(message, { event: "corrupt" }));
  await drain.start(record, startDrained);
}
