import { SystemError } from "./errno.ts";
import { libc } from "./libc.ts";
import { IPPROTO_TCP } from "./socket.ts";

/** An option of TCP (linux/tcp.h). */
export const TCP_INFO = 11;

/**
 * Of struct tcp_info (linux/tcp.h) the first 32 bytes: eight small fields, then 32-bit words. For a
 * listening socket the kernel puts the length of its queue into `tcpi_unacked`, and its limit into
 * `tcpi_sacked` (tcp_get_info in net/ipv4/tcp.c).
 */
export const OFFSET = { state: 0, unacked: 24, sacked: 28 } as const;

const info = new Uint8Array(32);
const view = new DataView(info.buffer);
const length = new Uint8Array(new Uint32Array([info.length]).buffer);

/** States of a connection in which our direction has not ended (net/tcp_states.h). */
const TCP_ESTABLISHED = 1;
const TCP_CLOSE_WAIT = 8;

/** Whether a socket's peer has ended its direction, whatever of it is left to be read. */
export function hasFinished(descriptor: number): boolean {
  const failed = libc.getsockopt(descriptor, IPPROTO_TCP, TCP_INFO, info, length) !== 0;
  return !failed && info[OFFSET.state] === TCP_CLOSE_WAIT;
}

/** Whether our direction of a connection has been ended, or all of it. */
export function isShutDown(descriptor: number): boolean {
  if (libc.getsockopt(descriptor, IPPROTO_TCP, TCP_INFO, info, length) !== 0) return false;
  const state = info[OFFSET.state];
  return state !== TCP_ESTABLISHED && state !== TCP_CLOSE_WAIT;
}

/** The queue of a listening socket. */
export interface Queue {
  /** How many connections wait to be accepted. */
  readonly length: number;
  /** How many may. */
  readonly limit: number;
}

/**
 * The queue of a listening socket.
 *
 * @throws {SystemError} when it is no TCP socket
 */
export function queueOf(descriptor: number): Queue {
  const queue = tryQueueOf(descriptor);
  if (queue === null) throw new SystemError("getsockopt");
  return queue;
}

/** As {@linkcode queueOf}; `null` where the system does not say. */
export function tryQueueOf(descriptor: number): Queue | null {
  if (libc.getsockopt(descriptor, IPPROTO_TCP, TCP_INFO, info, length) !== 0) return null;
  return {
    length: view.getUint32(OFFSET.unacked, true),
    limit: view.getUint32(OFFSET.sacked, true),
  };
}
