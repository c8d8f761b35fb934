/**
 * Connects to the service, again and again for as long as the client may be kept waiting.
 *
 * @module
 */

import { connect as connectSocket, type Socket } from "node:net";
import { type Address, formatAddress } from "../../address.ts";

/** The first pause before another attempt, in milliseconds; each is twice the one before. */
const FIRST_PAUSE = 20;
/** The longest pause, in milliseconds: how late a service that has just come up may be noticed. */
const LONGEST_PAUSE = 250;

/** Where to connect: asked anew for each attempt, since it may change while a client waits. */
export interface Target {
  readonly address: Address;
  readonly resolver: {
    addresses(): Promise<string[]>;
    forget(): void;
    prefer(address: string): Promise<void>;
  };
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
  for (let pause = FIRST_PAUSE;; pause = Math.min(2 * pause, LONGEST_PAUSE)) {
    const { address, resolver } = target();
    try {
      const connected = await tryEach(address, resolver, deadline, signal);
      if (connected !== null || signal.aborted) return connected;
    } catch (error) {
      if (signal.aborted) return null;
      resolver.forget();
      failed(address, error instanceof Error ? error.message : String(error));
    }
    const left = deadline - performance.now();
    if (left <= 0) return null;
    await sleep(Math.min(pause, left), signal);
    if (signal.aborted) return null;
  }
}

/** Tries the addresses in turn. @throws the error of the last one */
async function tryEach(
  { port }: Address,
  resolver: Target["resolver"],
  deadline: number,
  signal: AbortSignal,
): Promise<Connected | null> {
  const hosts = await resolver.addresses();
  let lastError: unknown = new Error("no address");
  for (const [index, host] of hosts.entries()) {
    // A host that swallows packets must leave time for those after it.
    const share = (deadline - performance.now()) / (hosts.length - index);
    try {
      const socket = await attempt(host, port, Math.max(1, share), signal);
      if (index > 0) void resolver.prefer(host);
      return { socket, upstream: formatAddress({ host, port }) };
    } catch (error) {
      if (signal.aborted) return null;
      lastError = error;
    }
  }
  throw lastError;
}

function attempt(
  host: string,
  port: number,
  timeout: number,
  signal: AbortSignal,
): Promise<Socket> {
  const { promise, resolve, reject } = Promise.withResolvers<Socket>();
  const socket = connectSocket({ host, port, allowHalfOpen: true, noDelay: true, keepAlive: true });
  const fail = (error: Error) => {
    socket.destroy();
    reject(error);
  };
  const abort = () => fail(new Error("Aborted"));
  signal.addEventListener("abort", abort, { once: true });
  const timer = Number.isFinite(timeout)
    ? setTimeout(() => fail(new Error(`no answer from ${host} port ${port}`)), timeout)
    : undefined;
  socket.on("error", fail);
  socket.once("connect", () => {
    socket.off("error", fail);
    resolve(socket);
  });
  return promise.finally(() => {
    clearTimeout(timer);
    signal.removeEventListener("abort", abort);
  });
}

function sleep(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, milliseconds);
    signal.addEventListener("abort", done, { once: true });
  });
}
