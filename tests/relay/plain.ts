/**
 * The plain relay of a test, which says only what is special about its own.
 *
 * @module
 */

import type { Address } from "../../lib/address.ts";
import type { PassedOn, RelayEvents, RelayOptions } from "../../lib/relay/relay.ts";

/** Options of a relay in front of this upstream. */
export function plainOptions(upstream: Address): RelayOptions {
  return {
    upstream,
    connectTimeout: 10_000,
    idleTimeout: null,
    halfCloseTimeout: 60_000,
    maxConnections: null,
    threads: 1,
    keepAlive: null,
    userTimeout: null,
    abortOnClose: false,
    acceptProxy: [],
    sendProxy: null,
    maxConnecting: 128,
  };
}

/** Events that nobody hears; a relay that breaks fails the process. */
export const UNHEARD: RelayEvents = {
  noneActive() {},
  connectFailed() {},
  gaveUp() {},
  badHeader() {},
  released() {},
  full() {},
  queueFilling() {},
  broken(error) {
    throw error;
  },
};

/** Where a relay listens that is to take these sockets, whatever they are. */
export function passedOn(...descriptors: number[]): PassedOn {
  return { descriptors, isWanted: () => true };
}
