/**
 * The server: listens, serves whoever comes, and ends in an orderly way.
 *
 * @module
 */

import { createServer, type Server, type Socket } from "node:net";
import { formatAddress, type ListenAddress } from "../address.ts";
import { codeOf } from "../code_of.ts";
import { Failure } from "../failure.ts";
import type { Duration } from "../duration.ts";
import { IdleTimer } from "../idle_timer.ts";
import { listenAdvice } from "../listen_advice.ts";
import { FIRST_INHERITED_DESCRIPTOR } from "../socket_activation.ts";
import { within } from "../within.ts";
import { converse } from "./connection.ts";
import type { SessionOptions } from "./session.ts";
import { describeSocketError } from "./socket_errors.ts";

/** The longest queue that we ask for; the kernel may allow less. */
const BACKLOG = 4096;

/** How long clients may take to close their side when the server is told to stop. */
const STOP_GRACE = 50;

/** What the server needs to know. */
export interface ServeOptions extends SessionOptions {
  /** Where to listen, or that a service manager passed a listening socket on. */
  readonly listen: ListenAddress | "inherited";
  /** The server ends by itself when no connection was open for that long. */
  readonly exitWhenIdle: Duration;
  /** Ends the server. */
  readonly stop: AbortSignal;
  /** Is called with a sentence once connections are accepted. */
  readonly onListening: (sentence: string) => void;
  /** Is called with a sentence about an error that does not end the server. */
  readonly onError: (sentence: string) => void;
}

/**
 * Serves until told to stop, or idle for long enough.
 *
 * An idle server closes its listening socket only at a moment when every connection it has
 * accepted is closed, so nobody is accepted and then left alone. Who comes later stays in the
 * queue of the socket, and under socket activation the service manager starts another server.
 *
 * @throws {Failure} when it cannot listen
 */
export async function serve(options: ServeOptions): Promise<void> {
  const sockets = new Set<Socket>();
  const { promise: over, resolve: end } = Promise.withResolvers<void>();
  const close = () => {
    server.close();
    end();
  };
  const idle = new IdleTimer(options.exitWhenIdle, close);
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    idle.stop();
    sockets.add(socket);
    socket.once("close", () => {
      sockets.delete(socket);
      if (sockets.size === 0) idle.start();
    });
    converse(socket, options).catch((error) => options.onError(String(error)));
  });
  await listen(server, options.listen);
  server.on(
    "error",
    (error) => options.onError(`Failed to accept a connection: ${describeSocketError(error)}`),
  );
  options.onListening(describe(server, options.listen));
  options.stop.addEventListener("abort", close);
  if (options.stop.aborted) close();
  if (sockets.size === 0) idle.start();
  await over;
  idle.stop();
  await closeAll(sockets);
}

async function listen(server: Server, where: ListenAddress | "inherited"): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once("error", reject);
  if (where === "inherited") {
    server.listen({ fd: FIRST_INHERITED_DESCRIPTOR, backlog: BACKLOG }, resolve);
  } else {
    // Without a host this listens on `::`, which takes IPv4 as well, or where there is no IPv6 on
    // `0.0.0.0`.
    const host = where.host === null ? {} : { host: where.host };
    server.listen({ ...host, port: where.port, backlog: BACKLOG }, resolve);
  }
  try {
    await promise;
  } catch (error) {
    throw new Failure(explain(error, where), 1, { cause: error });
  }
  server.off("error", reject);
}

function explain(error: unknown, where: ListenAddress | "inherited"): string {
  if (where === "inherited") {
    return "Failed to listen on the socket that the service manager passed on: " +
      `${describeSocketError(error)}; it must be a listening stream socket`;
  }
  const place = where.host === null ? `port ${where.port}` : formatAddress(where);
  const advice = listenAdvice(codeOf(error), where.port);
  return `Failed to listen on ${place}: ${describeSocketError(error)}${advice}`;
}

function describe(server: Server, where: ListenAddress | "inherited"): string {
  const address = server.address();
  const port = address !== null && typeof address === "object"
    ? `port ${address.port}`
    : "a socket";
  if (where === "inherited") return `Listening on ${port}, passed on by the service manager`;
  return `Listening on ${port}${where.host === null ? "" : ` of ${where.host}`}`;
}

/** Sends what is written and the end to all clients, and gives them a moment to end as well. */
async function closeAll(sockets: Set<Socket>): Promise<void> {
  const closed = Array.from(sockets, (socket) => {
    const { promise, resolve } = Promise.withResolvers<void>();
    socket.once("close", () => resolve());
    socket.end();
    return promise;
  });
  await within(Promise.all(closed), STOP_GRACE);
  for (const socket of sockets) socket.destroy();
}
