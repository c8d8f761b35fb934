/**
 * Connects to the service, again and again for as long as the client may be kept waiting.
 *
 * @module
 */

import { connect as connectSocket, type Socket } from "node:net";
import { type Address, formatAddress } from "../../address.ts";
import { catchUp } from "./catching_up.ts";
import { messageOf } from "../../message_of.ts";
import type { Upstream } from "../upstream.ts";

/** The first pause before another attempt, in milliseconds; each is twice the one before. */
const FIRST_PAUSE = 20;
/** The longest pause, in milliseconds: how late a service that has just come up may be noticed. */
const LONGEST_PAUSE = 250;
/** How long an address may keep those after it waiting, in milliseconds. */
const LONGEST_TURN = 3000;
/** The longest time a timer can be set to. */
const LONGEST_TIMER = 2 ** 31 - 1;

/** A failed attempt. */
export type AttemptFailed = (target: Address, error: string) => void;

/** What {@linkcode connect} came to. */
export interface Connected {
  readonly socket: Socket;
  /** The address that answered, `HOST:PORT`. */
  readonly upstream: string;
  /** The one that was asked for, `HOST:PORT`. */
  readonly target: string;
}

/**
 * Connects to the first address of the upstream that answers.
 *
 * @param timeout how long to try, in milliseconds; `null` for ever
 * @param failed is told of each round of attempts that failed
 * @returns `null` when the time is over or the signal was aborted
 */
export async function connect(
  upstream: Upstream,
  timeout: number | null,
  failed: AttemptFailed,
  signal: AbortSignal,
): Promise<Connected | null> {
  let deadline = timeout === null ? Infinity : performance.now() + timeout;
  let pause = FIRST_PAUSE;
  while (!signal.aborted) {
    // Asked anew for each round, since it may change while a client waits.
    const { address, replaced } = upstream;
    const signals = [signal, replaced];
    try {
      return await tryEach(upstream, deadline, signals);
    } catch (error) {
      if (signal.aborted) return null;
      if (replaced.aborted) {
        pause = FIRST_PAUSE;
        continue;
      }
      upstream.refresh();
      failed(address, messageOf(error));
    }
    const left = deadline - performance.now();
    if (left <= 0) return null;
    const due = performance.now() + Math.min(pause, left);
    await sleep(Math.min(pause, left), signals);
    // While the process stood still, nobody could try.
    const late = performance.now() - due;
    if (late > LONGEST_PAUSE) deadline += late;
    pause = Math.min(2 * pause, LONGEST_PAUSE);
  }
  return null;
}

/** Tries the addresses in turn. @throws the error of the last one */
async function tryEach(
  upstream: Upstream,
  deadline: number,
  signals: readonly AbortSignal[],
): Promise<Connected> {
  const { name: target } = upstream;
  const { port } = upstream.address;
  const left = () => Math.max(1, deadline - performance.now());
  const hosts = await limited(upstream.known(), left(), upstream.error, signals);
  let lastError: unknown;
  for (const [index, host] of hosts.entries()) {
    // A host that swallows packets must leave time for those after it.
    const others = hosts.length - index - 1;
    const turn = others === 0 ? left() : Math.min(left() / (others + 1), LONGEST_TURN);
    try {
      const socket = await attempt(host, port, turn, signals);
      if (index > 0) upstream.prefer(host);
      return { socket, upstream: formatAddress({ host, port }), target };
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
  // What it waits for may be there, and only not have been noticed while the process stood still.
  const lastLook = () => void catchUp(0).then(stop);
  const timer = setTimeout(lastLook, Math.min(milliseconds, LONGEST_TIMER));
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
