/**
 * How a proxy begins: by itself, or by taking over from one that runs.
 *
 * @module
 */

import type { Drain } from "../drain.ts";
import { RecordFile } from "../drain/store.ts";
import type { Relay, RelayEvents } from "../relay/relay.ts";
import { OwnedDirectory, pathsIn } from "../runtime_directory.ts";
import { listen } from "./listen.ts";
import type { Log } from "./log.ts";
import type { ProxyOptions } from "./options.ts";

/** What a proxy begins with, in the order in which it is used. */
export interface Beginning {
  /** Makes the relay. It holds. */
  makeRelay(events: RelayEvents): Promise<Relay>;
  /** The runtime directory; to be asked for once there is a relay. */
  readonly directory: OwnedDirectory;
  /** Whether another process served before this one, and may still be taken for the proxy. */
  readonly isSuccession: boolean;
  /** Starts the drain. */
  start(drain: Drain): Promise<void>;
}

/** Makes a relay as options say. */
export type MakeRelay = typeof listen;

/**
 * Begins anew.
 *
 * @param directory is ours
 */
export function beginAnew(
  options: ProxyOptions,
  directory: OwnedDirectory,
  log: Log,
  makeRelay: MakeRelay = listen,
): Beginning {
  return {
    directory,
    isSuccession: false,
    makeRelay: (events) => makeRelay(options, log, events),
    async start(drain) {
      const store = new RecordFile(pathsIn(directory.path).record);
      const record = await store.read((message) => log.error(message, { event: "corrupt" }));
      await drain.start(record, options.startDrained);
    },
  };
}
