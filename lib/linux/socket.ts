/**
 * TCP sockets.
 *
 * @module
 */

import type { Address } from "../address.ts";
import { checked } from "./errno.ts";
import { libc } from "./libc.ts";
import { AF_INET6, decode, encode, LARGEST } from "./socket_address.ts";

/** Types and flags of sockets (bits/socket_type.h). */
export const SOCK_STREAM = 1;
/** Calls on it never wait. */
export const SOCK_NONBLOCK = 0o4000;
/** It is not passed on to other programs. */
export const SOCK_CLOEXEC = 0o2000000;

/** Flags of {@linkcode libc.send}: no signal if the peer is gone (bits/socket.h). */
export const MSG_NOSIGNAL = 0x4000;

/** Ends the direction that we send in (sys/socket.h). */
export const SHUT_WR = 1;

/** Options of sockets (asm-generic/socket.h). */
export const SOL_SOCKET = 1;
export const SO_REUSEADDR = 2;
export const SO_TYPE = 3;
export const SO_ERROR = 4;
export const SO_KEEPALIVE = 9;
export const SO_LINGER = 13;
export const SO_ACCEPTCONN = 30;
export const SO_COOKIE = 57;

/** Options of TCP (linux/tcp.h). */
export const IPPROTO_TCP = 6;
export const TCP_NODELAY = 1;
export const TCP_KEEPIDLE = 4;
export const TCP_KEEPINTVL = 5;
export const TCP_KEEPCNT = 6;
export const TCP_USER_TIMEOUT = 18;

/** Options of IPv6 (linux/in6.h). */
export const IPPROTO_IPV6 = 41;
export const IPV6_V6ONLY = 26;

/** struct linger: whether, and for how many seconds (socket(7)). With 0, closing sends a reset. */
export const LINGER_RESET = new Uint8Array(new Int32Array([1, 0]).buffer);

/** Commands and flags of fcntl(2) (asm-generic/fcntl.h). */
export const F_SETFD = 2;
export const F_GETFL = 3;
export const F_SETFL = 4;
export const FD_CLOEXEC = 1;
export const O_NONBLOCK = 0o4000;

const value = new Int32Array(1);
const valueBytes = new Uint8Array(value.buffer);
const length = new Uint32Array(1);
const lengthBytes = new Uint8Array(length.buffer);

/** When a silent peer is probed, and given up, and how long it may leave data unacknowledged. */
export interface Liveness {
  /** Milliseconds of silence before the first probe; `null` is never. */
  readonly keepAlive: number | null;
  /** Milliseconds; `null` leaves it to the system. */
  readonly userTimeout: number | null;
}

/** How often a silent peer is probed, in seconds. */
const PROBE_INTERVAL = 15;
/** How many probes it may leave unanswered. */
const PROBES = 4;

/**
 * A socket that listens on an IP address.
 *
 * @param bothFamilies whether `::` means all IPv4 addresses as well
 * @param backlog how many connections the kernel may queue; it takes less if it must (listen(2))
 * @returns its descriptor
 * @throws {SystemError} when the address cannot be had
 */
export function listen(address: Address, bothFamilies: boolean, backlog: number): number {
  const name = encode(address);
  const family = familyOf(name);
  const descriptor = checked("socket", newSocket(family));
  try {
    setOption(descriptor, SOL_SOCKET, SO_REUSEADDR, 1);
    if (family === AF_INET6) setOption(descriptor, IPPROTO_IPV6, IPV6_V6ONLY, bothFamilies ? 0 : 1);
    checked("bind", libc.bind(descriptor, name, name.length));
    checked("listen", libc.listen(descriptor, backlog));
    return descriptor;
  } catch (error) {
    libc.close(descriptor);
    throw error;
  }
}

/** A new TCP socket on which no call waits: its descriptor, or a negative number for an error. */
export function newSocket(family: number): number {
  return libc.socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
}

/** The family of an address in the kernel's form. */
export function familyOf(name: Uint8Array<ArrayBuffer>): number {
  return (name[0] ?? 0) | (name[1] ?? 0) << 8;
}

/**
 * Whether a descriptor is a TCP socket that listens.
 *
 * @throws {SystemError} when it is no socket
 */
export function isListening(descriptor: number): boolean {
  return option(descriptor, SOL_SOCKET, SO_TYPE) === SOCK_STREAM &&
    option(descriptor, SOL_SOCKET, SO_ACCEPTCONN) === 1;
}

/**
 * Makes a descriptor that came from another program like our own: no call on it waits, and it is not
 * passed on.
 */
export function adopt(descriptor: number): void {
  const flags = checked("fcntl", libc.fcntl(descriptor, F_GETFL, 0));
  checked("fcntl", libc.fcntl(descriptor, F_SETFL, flags | O_NONBLOCK));
  checked("fcntl", libc.fcntl(descriptor, F_SETFD, FD_CLOEXEC));
}

/** A number that is this socket's alone until the machine ends (SO_COOKIE, 64 bits). */
export function cookieOf(descriptor: number): string {
  const cookie = new BigUint64Array(1);
  length[0] = 8;
  const bytes = new Uint8Array(cookie.buffer);
  checked("getsockopt", libc.getsockopt(descriptor, SOL_SOCKET, SO_COOKIE, bytes, lengthBytes));
  return `${cookie[0]}`;
}

/** Sends what is written at once, in however small pieces (Nagle's algorithm would wait). */
export function sendAtOnce(descriptor: number): void {
  setOption(descriptor, IPPROTO_TCP, TCP_NODELAY, 1);
}

/** Notices when the peer is gone. What is accepted from a listening socket inherits it. */
export function watchPeer(descriptor: number, { keepAlive, userTimeout }: Liveness): void {
  if (keepAlive !== null) {
    setOption(descriptor, SOL_SOCKET, SO_KEEPALIVE, 1);
    const seconds = Math.min(32767, Math.max(1, Math.round(keepAlive / 1000)));
    setOption(descriptor, IPPROTO_TCP, TCP_KEEPIDLE, seconds);
    setOption(descriptor, IPPROTO_TCP, TCP_KEEPINTVL, PROBE_INTERVAL);
    setOption(descriptor, IPPROTO_TCP, TCP_KEEPCNT, PROBES);
  }
  if (userTimeout !== null) {
    setOption(descriptor, IPPROTO_TCP, TCP_USER_TIMEOUT, Math.max(1, Math.round(userTimeout)));
  }
}

/** Closes a socket so that its peer sees a reset, never a clean end. */
export function closeWithReset(descriptor: number): void {
  libc.setsockopt(descriptor, SOL_SOCKET, SO_LINGER, LINGER_RESET, LINGER_RESET.length);
  libc.close(descriptor);
}

/** What a socket has failed with since it was asked last: 0, or the number of an error. */
export function pendingError(descriptor: number): number {
  return option(descriptor, SOL_SOCKET, SO_ERROR);
}

const name = new Uint8Array(LARGEST);
const otherName = new Uint8Array(LARGEST);

/**
 * The address that a socket has.
 *
 * @throws {SystemError} when it is no socket
 */
export function localAddress(descriptor: number): Address {
  length[0] = name.length;
  checked("getsockname", libc.getsockname(descriptor, name, lengthBytes));
  const address = decode(name);
  if (address === null) throw new Error("the socket is neither IPv4 nor IPv6");
  return address;
}

/** Whether a socket is still connected: not so if its peer has reset it. */
export function hasPeer(descriptor: number): boolean {
  return peerName(descriptor) !== null;
}

/**
 * The address of a socket's peer as the kernel has it.
 *
 * @returns bytes that the next call changes; `null` if the peer has reset the connection
 */
export function peerName(descriptor: number): Uint8Array | null {
  length[0] = name.length;
  return libc.getpeername(descriptor, name, lengthBytes) === 0 ? name : null;
}

/**
 * Whether a socket is connected to itself: while nobody listens on a port that the system also
 * gives to clients, connecting to it may come to that.
 */
export function isConnectedToItself(descriptor: number): boolean {
  length[0] = name.length;
  if (libc.getsockname(descriptor, name, lengthBytes) !== 0) return false;
  length[0] = otherName.length;
  if (libc.getpeername(descriptor, otherName, lengthBytes) !== 0) return false;
  return name.every((byte, index) => byte === otherName[index]);
}

function setOption(descriptor: number, level: number, option: number, to: number): void {
  value[0] = to;
  checked("setsockopt", libc.setsockopt(descriptor, level, option, valueBytes, 4));
}

function option(descriptor: number, level: number, option: number): number {
  length[0] = 4;
  checked("getsockopt", libc.getsockopt(descriptor, level, option, valueBytes, lengthBytes));
  return value[0] ?? 0;
}
