/**
 * Connects to the service, again and again for as long as the client may be kept waiting.
 *
 * @module
 */

import { connect as connectSocket, type Socket } from "node:net";
import { type Address, formatAddress } from "../../address.ts";
import { messageOf } from "../../message_of.ts";

/** The first pause before another attempt, in milliseconds; each is twice the one before. */
const FIRST_PAUSE = 20;
/** The longest pause, in milliseconds: how late a service that has just come up may be noticed. */
const LONGEST_PAUSE = 250;
/** How long an address may keep those after it waiting, in milliseconds. */
const LONGEST_TURN = 3000;
/** The longest time a timer can be set to. */
const LONGEST_TIMER = 2 ** 31 - 1;

/** Where to connect: asked anew for each attempt, since it may change while a client waits. */
export interface Target {
  readonly address: Address;
  readonly resolver: {
    addresses(): Promise<string[]>;
    forget(): void;
    prefer(address: string): void;
  };
  /** Aborted when there is another target: what is being tried is no longer wanted. */
  readonly replaced?: AbortSignal;
}

/** A failed attempt. */
export type AttemptFailed = (target: Address, error: string) => void;

/** What {@linkcode connect} came to. */
export interface Connected {
  readonly socket: Socket;
  /** The address that answered, `HOST:PORT`. */
  readonly upstream: string;
}

/**
 * Connects to the first address of the target that answers.
 *
 * @param timeout how long to try, in milliseconds; `null` for ever
 * @param failed is told of each round of attempts that failed
 * @returns `null` when the time is over or the signal was aborted
 */
export async function connect(
  target: () => Target,
  timeout: number | null,
  failed: AttemptFailed,
  signal: AbortSignal,
): Promise<Connected | null> {
  const deadline = timeout === null ? Infinity : performance.now() + timeout;
  let pause = FIRST_PAUSE;
  while (!signal.aborted) {
    const { address, resolver, replaced } = target();
    const signals = replaced ? [signal, replaced] : [signal];
    try {
      return await tryEach(address, resolver, deadline, signals);
    } catch (error) {
      if (signal.aborted) return null;
      if (replaced?.aborted) {
        pause = FIRST_PAUSE;
        continue;
      }
      resolver.forget();
      failed(address, messageOf(error));
    }
    const left = deadline - performance.now();
    if (left <= 0) return null;
    await sleep(Math.min(pause, left), signals);
    pause = Math.min(2 * pause, LONGEST_PAUSE);
  }
  return null;
}

/** Tries the addresses in turn. @throws the error of the last one */
async function tryEach(
  { host: name, port }: Address,
  resolver: Target["resolver"],
  deadline: number,
  signals: readonly AbortSignal[],
): Promise<Connected> {
  const left = () => Math.max(1, deadline - performance.now());
  const hosts = await limited(resolver.addresses(), left(), `no address for ${name}`, signals);
  let lastError: unknown = new Error(`no address for ${name}`);
  for (const [index, host] of hosts.entries()) {
    // A host that swallows packets must leave time for those after it.
    const others = hosts.length - index - 1;
    const turn = others === 0 ? left() : Math.min(left() / (others + 1), LONGEST_TURN);
    try {
      const socket = await attempt(host, port, turn, signals);
      if (index > 0) resolver.prefer(host);
      return { socket, upstream: formatAddress({ host, port }) };
    } catch (error) {
      if (signals.some(({ aborted }) => aborted)) throw error;
      lastError = error;
    }
  }
  throw lastError;
}

async function attempt(
  host: string,
  port: number,
  timeout: number,
  signals: readonly AbortSignal[],
): Promise<Socket> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const socket = connectSocket({ host, port, allowHalfOpen: true, noDelay: true });
  socket.on("error", reject);
  socket.once("connect", resolve);
  try {
    await limited(promise, timeout, `no answer from ${host} port ${port}`, signals);
    // While nobody listens on a port that the system also gives to clients, it may connect a socket
    // to itself.
    if (socket.localPort === socket.remotePort && socket.localAddress === socket.remoteAddress) {
      throw new Error(`connection refused by ${host} port ${port}`);
    }
    socket.off("error", reject);
    return socket;
  } catch (error) {
    // Not closed in peace: nobody should take that for a client, and a port on which a socket was
    // connected to itself would be kept from the service for a minute.
    socket.resetAndDestroy();
    throw error;
  }
}

/** The work, unless the time is over or a signal is aborted before it is done. */
function limited<T>(
  work: Promise<T>,
  milliseconds: number,
  message: string,
  signals: readonly AbortSignal[],
): Promise<T> {
  const { promise, resolve, reject } = Promise.withResolvers<T>();
  const stop = () => reject(new Error(message));
  const timer = setTimeout(stop, Math.min(milliseconds, LONGEST_TIMER));
  for (const signal of signals) signal.addEventListener("abort", stop);
  if (signals.some(({ aborted }) => aborted)) stop();
  work.then(resolve, reject);
  return promise.finally(() => {
    clearTimeout(timer);
    for (const signal of signals) signal.removeEventListener("abort", stop);
  });
}

function sleep(milliseconds: number, signals: readonly AbortSignal[]): Promise<void> {
  return limited(new Promise<void>(() => {}), milliseconds, "", signals).catch(() => {});
}
