/**
 * What signals mean to a proxy.
 *
 * @module
 */

import { Failure } from "../failure.ts";
import { hearSignals, type Signal, type Surroundings } from "../signals.ts";
import { within } from "../within.ts";

/** What a signal asks for. */
export type Meaning =
  /** To stop; for the second time, to cut who is still served. */
  | "stop"
  /** To stop, as the terminal is gone. More than one comes of that, so a second one means nothing. */
  | "hang up"
  /** To be replaced by a new process. */
  | "upgrade"
  | "nothing";

/** What this signal asks for. */
export function meaningOf(
  signal: Signal,
  { hadTerminal, hasTerminal }: Surroundings,
): Meaning {
  switch (signal) {
    case "SIGTERM":
    case "SIGINT":
    case "SIGQUIT":
      return "stop";
    case "SIGHUP":
      return hadTerminal && !hasTerminal() ? "hang up" : "upgrade";
    case "SIGUSR1":
    case "SIGUSR2":
      return "nothing";
  }
}

/** How long a start may go on once the proxy is to stop, in milliseconds. */
const START_ENDS_WITHIN = 5000;

/**
 * Waits for a start; but once the proxy is to stop, only as long as one takes that gets on: it may
 * have taken over just now, and then has somebody's connections.
 *
 * @throws {Failure} when it takes longer
 */
export async function startUnlessStopped<T>(
  start: Promise<T>,
  stop: Promise<void>,
  patience: number = START_ENDS_WITHIN,
): Promise<T> {
  const stopped = () => {
    throw new Failure("Stopped while it was starting");
  };
  // Whatever is asked later is asked of a proxy that runs: the start is over then.
  return await Promise.race([start, stop.then(() => within(start, patience, stopped))]);
}

/** A proxy that obeys signals. */
export interface Obedient {
  /** Has a new process take over, because of this signal. */
  upgrade(signal: Signal): void;
  /** Hears of a signal that means nothing. */
  ignored(signal: Signal): void;
}

/** The signals to a proxy. */
export interface ProxySignals {
  /** Resolves when the proxy is to stop. */
  readonly stop: Promise<void>;
  /** Resolves when that is to be cut short. */
  readonly cutShort: Promise<void>;
  /** Who obeys from now on. What was asked of a proxy that had not started yet is not forgotten. */
  obey(proxy: Obedient): void;
}

/**
 * Hears signals from now on. To be called first, see {@linkcode hearSignals}.
 *
 * @param hear instead of those of the system
 */
export async function proxySignals(hear: typeof hearSignals = hearSignals): Promise<ProxySignals> {
  const stop = Promise.withResolvers<void>();
  const cutShort = Promise.withResolvers<void>();
  let isStopping = false;
  let proxy: Obedient | null = null;
  let early: Signal | null = null;
  await hear((signal, surroundings) => {
    switch (meaningOf(signal, surroundings)) {
      case "stop":
        if (isStopping) cutShort.resolve();
        isStopping = true;
        return stop.resolve();
      case "hang up":
        isStopping = true;
        return stop.resolve();
      case "upgrade":
        if (proxy === null) early = signal;
        return proxy?.upgrade(signal);
      case "nothing":
        return proxy?.ignored(signal);
    }
  });
  const obey = (to: Obedient) => {
    proxy = to;
    if (early !== null && !isStopping) to.upgrade(early);
  };
  return { stop: stop.promise, cutShort: cutShort.promise, obey };
}
