/**
 * What node:net does not say of a socket, or not in one word.
 *
 * @module
 */

import type { Socket } from "node:net";
import { formatAddress, unmapped } from "../../address.ts";
import type { Endpoints } from "../proxy_protocol.ts";

/** The peer of a socket as `HOST:PORT`. */
export function peerOf(socket: Socket): string {
  const { remoteAddress, remotePort } = socket;
  // A client that was reset while it was queued has no address any more.
  if (remoteAddress === undefined) return "unknown";
  return formatAddress({ host: unmapped(remoteAddress), port: remotePort ?? 0 });
}

/** Between whom a client's connection is; `null` if it has been reset. */
export function endpointsOf(client: Socket): Endpoints | null {
  const { remoteAddress, remotePort = 0, localAddress, localPort = 0 } = client;
  if (remoteAddress === undefined || localAddress === undefined) return null;
  return {
    source: { host: remoteAddress, port: remotePort },
    destination: { host: localAddress, port: localPort },
  };
}

/**
 * Notices when the peer is gone. Not all peers are probed at once, as the epoll relay does not either
 * (see `watchPeer` of linux/socket.ts).
 *
 * @param keepAlive when to probe one that is silent, in milliseconds, at least; `null` is never
 */
export function watchPeer(socket: Socket, keepAlive: number | null): void {
  if (keepAlive !== null) socket.setKeepAlive(true, Math.ceil(keepAlive * (1 + Math.random() / 2)));
}

/** Closes a socket so that its peer sees a reset, never a clean end. */
export function reset(socket: Socket): void {
  if (!socket.destroyed) socket.resetAndDestroy();
}

/**
 * Whether the peer has reset the connection while nobody was reading, so that no event told of it:
 * while the socket is paused, or after its end. The system then knows no peer any more.
 *
 * After our own end that proves nothing: then it may have ended in peace, with bytes left to read.
 */
export function wasReset(socket: Socket): boolean {
  if (socket.destroyed || socket.writableEnded) return false;
  if (!socket.isPaused() && !socket.readableEnded) return false;
  // The public `remoteAddress` is remembered from when there was one.
  const { _handle: handle } = socket as { _handle?: { getpeername?(name: object): number } };
  return handle?.getpeername !== undefined && handle.getpeername({}) !== 0;
}
