/**
 * The connections of the load, by calls of the C library.
 *
 * They are blocking sockets: whoever opens one or asks on it waits, but never longer than
 * {@linkcode PATIENCE}. The loops pass MSG_DONTWAIT instead.
 *
 * @module
 */

import { Epoll, EPOLLIN, EPOLLOUT } from "../../../lib/linux/epoll.ts";
import { checked, EAGAIN, errno, SystemError } from "../../../lib/linux/errno.ts";
import { libc } from "../../../lib/linux/libc.ts";
import { MSG_NOSIGNAL, sendAtOnce, SOCK_CLOEXEC } from "../../../lib/linux/socket.ts";
import { AF_INET, encode } from "../../../lib/linux/socket_address.ts";
import { type Want, WANTS } from "./protocol.ts";

/** How many descriptors the load, the service and the contenders may have, if the system lets them. */
export const DESCRIPTORS = 65_536;

/** How long anything may take, in seconds. */
export const PATIENCE = 10;

/** bits/socket_type.h */
const SOCK_STREAM = 1;
/** bits/socket.h: do not wait, even on a blocking socket. */
export const MSG_DONTWAIT = 0x40;
/** bits/socket.h: of TCP, throw the bytes away instead of copying them (tcp(7)). */
export const MSG_TRUNC = 0x20;

/** How long a call may wait (asm-generic/socket.h), as a struct timeval (socket(7)). */
const SOL_SOCKET = 1;
const SO_RCVTIMEO = 20;
const SO_SNDTIMEO = 21;
const PATIENCE_TIMEVAL = new Uint8Array(new BigInt64Array([BigInt(PATIENCE), 0n]).buffer);

/** Room for what is received. */
export const ROOM = new Uint8Array(1024 * 1024);

const FIRST = {
  echo: new Uint8Array([WANTS.echo]),
  download: new Uint8Array([WANTS.download]),
  upload: new Uint8Array([WANTS.upload]),
};

/** A port of this machine, as the kernel takes it. */
export function target(port: number): Uint8Array<ArrayBuffer> {
  return encode({ host: "127.0.0.1", port });
}

/**
 * Connects.
 *
 * @returns the descriptor
 * @throws {SystemError} when that fails
 */
export function connect(to: Uint8Array<ArrayBuffer>): number {
  const type = SOCK_STREAM | SOCK_CLOEXEC;
  const descriptor = checked("socket", libc.socket(AF_INET, type, 0));
  try {
    for (const option of [SO_RCVTIMEO, SO_SNDTIMEO]) {
      libc.setsockopt(descriptor, SOL_SOCKET, option, PATIENCE_TIMEVAL, PATIENCE_TIMEVAL.length);
    }
    sendAtOnce(descriptor);
    checked("connect", libc.connect(descriptor, to, to.length));
    return descriptor;
  } catch (error) {
    libc.close(descriptor);
    throw error;
  }
}

/**
 * Sends all of it, or fails: for messages that any socket has room for.
 *
 * @throws {SystemError}
 */
export function send(descriptor: number, bytes: Uint8Array<ArrayBuffer>): void {
  checked("send", libc.send(descriptor, bytes, bytes.length, MSG_NOSIGNAL));
}

/**
 * Passes on how much was sent or received; 0 when nothing could be without waiting.
 *
 * @throws {SystemError} when it failed
 */
export function moved(what: string, result: number): number {
  if (result >= 0) return result;
  const error = errno();
  if (error === EAGAIN) return 0;
  throw new SystemError(what, error);
}

/** Many connections that have said what they want, and what becomes of them. */
export class Clients implements Disposable {
  readonly descriptors: number[] = [];
  readonly epoll: Epoll;
  #closed = false;

  /**
   * Connects one after the other; those that want an echo have had one.
   *
   * @throws {SystemError} when one of them fails
   */
  constructor(port: number, count: number, want: Want) {
    this.epoll = new Epoll(Math.min(count + 1, 1024));
    try {
      const to = target(port);
      for (let index = 0; index < count; index++) {
        const descriptor = connect(to);
        this.descriptors.push(descriptor);
        send(descriptor, FIRST[want]);
        if (want === "echo") firstEcho(descriptor);
        this.epoll.add(descriptor, want === "upload" ? EPOLLOUT : EPOLLIN, index);
      }
    } catch (error) {
      this[Symbol.dispose]();
      throw new Error(
        `Client ${this.descriptors.length} of ${count} failed: ${(error as Error).message}`,
      );
    }
  }

  /**
   * Waits until something happens.
   *
   * @param timeout in milliseconds
   * @returns how many connections something happened to
   * @throws when nothing happens for as long as that
   */
  wait(timeout = PATIENCE * 1000): number {
    const ready = this.epoll.wait(timeout);
    if (ready === 0) throw new Error(`Nothing was answered for ${timeout / 1000} s`);
    return ready;
  }

  /** Closes them all. */
  [Symbol.dispose](): void {
    if (this.#closed) return;
    this.#closed = true;
    for (const descriptor of this.descriptors) libc.close(descriptor);
    this.epoll.close();
  }
}

function firstEcho(descriptor: number): void {
  const received = checked("recv", libc.recv(descriptor, ROOM, 1, 0));
  if (received !== 1) throw new Error("it was closed");
}
