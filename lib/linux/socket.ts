/**
 * TCP sockets.
 *
 * @module
 */

import type { Address } from "../address.ts";
import { checked, EAGAIN, errno } from "./errno.ts";
import { libc } from "./libc.ts";
import { AF_INET6, decode, encode, LARGEST, portOf } from "./socket_address.ts";

/** Types and flags of sockets (bits/socket_type.h). */
export const SOCK_STREAM = 1;
export const SOCK_DGRAM = 2;
/** Calls on it never wait. */
export const SOCK_NONBLOCK = 0o4000;
/** It is not passed on to other programs. */
export const SOCK_CLOEXEC = 0o2000000;

/** Flags of {@linkcode libc.send}: no signal if the peer is gone (bits/socket.h). */
export const MSG_NOSIGNAL = 0x4000;
/** Flags of {@linkcode libc.recv}: what is read stays there (bits/socket.h). */
export const MSG_PEEK = 2;

/** Ends the direction that we send in (sys/socket.h). */
export const SHUT_WR = 1;
/** Ends both. */
const SHUT_RDWR = 2;

/** struct sockaddr of AF_UNSPEC, which is 0. */
const UNSPECIFIED = new Uint8Array(16);

/** A request of {@linkcode libc.ioctl}: how much of what was sent is not acknowledged (tcp(7)). */
export const SIOCOUTQ = 0x5411;

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
export const F_GETFL = 3;
export const F_SETFL = 4;
const F_SETFD = 2;
const FD_CLOEXEC = 1;
export const O_NONBLOCK = 0o4000;

const value = new Int32Array(1);
const valueBytes = new Uint8Array(value.buffer);
const length = new Uint32Array(1);
const lengthBytes = new Uint8Array(length.buffer);

/** When a silent peer is probed, and given up, and how long it may leave data unacknowledged. */
export interface Liveness {
  /** Milliseconds of silence before the first probe, at least; `null` is never. */
  readonly keepAlive: number | null;
  /** Milliseconds; `null` leaves it to the system. */
  readonly userTimeout: number | null;
}

/** How often a silent peer is probed: between so many seconds and twice that. */
const PROBE_INTERVAL = 10;
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

/** Whether a socket that listens on `::` gets those who connect to IPv4 addresses as well. */
export function servesBothFamilies(descriptor: number): boolean {
  length[0] = 4;
  const { getsockopt } = libc;
  // An IPv4 socket has no such option.
  return getsockopt(descriptor, IPPROTO_IPV6, IPV6_V6ONLY, valueBytes, lengthBytes) === 0 &&
    value[0] === 0;
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

/**
 * A number that is this socket's alone until the machine ends (SO_COOKIE, 64 bits); empty where the
 * kernel has none.
 */
export function cookieOf(descriptor: number): string {
  const cookie = new BigUint64Array(1);
  length[0] = 8;
  const bytes = new Uint8Array(cookie.buffer);
  const code = libc.getsockopt(descriptor, SOL_SOCKET, SO_COOKIE, bytes, lengthBytes);
  return code === 0 ? `${cookie[0]}` : "";
}

/**
 * Sends what is written at once, in however small pieces (Nagle's algorithm would wait). A socket
 * for which the system refuses that works without.
 */
export function sendAtOnce(descriptor: number): void {
  tryToSet(descriptor, IPPROTO_TCP, TCP_NODELAY, 1);
}

/**
 * Notices when the peer is gone. A socket for which the system refuses that works without.
 *
 * Thousands of sockets that came at once must not be probed at once, again and again: the kernel
 * drops what does not fit into the queue of a network device (net.core.netdev_max_backlog: 1000), and
 * takes who does not answer for gone. So each has times of its own, for the first probe up to half
 * as long again. That is also why a listening socket, whose options are inherited, is not for this.
 *
 * @param random gives numbers of at least 0 and less than 1
 */
export function watchPeer(
  descriptor: number,
  { keepAlive, userTimeout }: Liveness,
  random: () => number = Math.random,
): void {
  if (keepAlive !== null) {
    const seconds = keepAlive / 1000 * (1 + random() / 2);
    tryToSet(descriptor, IPPROTO_TCP, TCP_KEEPIDLE, Math.min(32767, Math.ceil(seconds)));
    const interval = PROBE_INTERVAL + Math.floor(random() * (PROBE_INTERVAL + 1));
    tryToSet(descriptor, IPPROTO_TCP, TCP_KEEPINTVL, interval);
    tryToSet(descriptor, IPPROTO_TCP, TCP_KEEPCNT, PROBES);
    tryToSet(descriptor, SOL_SOCKET, SO_KEEPALIVE, 1);
  }
  limitUnacknowledged(descriptor, userTimeout);
}

/** Watches nobody: see {@linkcode watchPeer}. What is accepted from a listening socket inherits it. */
export function watchNobody(descriptor: number): void {
  tryToSet(descriptor, SOL_SOCKET, SO_KEEPALIVE, 0);
}

/**
 * Ends a socket whose peer leaves what it was sent unacknowledged for so long. What is accepted from
 * a listening socket inherits it.
 *
 * @param userTimeout milliseconds; `null` leaves it to the system
 */
export function limitUnacknowledged(descriptor: number, userTimeout: number | null): void {
  if (userTimeout === null) return;
  tryToSet(descriptor, IPPROTO_TCP, TCP_USER_TIMEOUT, Math.max(1, Math.round(userTimeout)));
}

/** Closes a socket so that its peer sees a reset, never a clean end. */
export function closeWithReset(descriptor: number): void {
  resetWhenClosed(descriptor);
  libc.close(descriptor);
}

function resetWhenClosed(descriptor: number): void {
  libc.setsockopt(descriptor, SOL_SOCKET, SO_LINGER, LINGER_RESET, LINGER_RESET.length);
}

/** Ends a socket of which another process has a copy, so that its peer sees an end now. */
export function endShared(descriptor: number): void {
  libc.shutdown(descriptor, SHUT_RDWR);
}

/** As {@linkcode endShared}, but its peer sees a reset. */
export function resetShared(descriptor: number): void {
  // That aborts the connection itself (connect(2), tcp_disconnect in net/ipv4/tcp.c).
  libc.connect(descriptor, UNSPECIFIED, UNSPECIFIED.length);
  // Should that fail, the last close does.
  resetWhenClosed(descriptor);
}

/** How many of the bytes that were sent have not been acknowledged; an end counts as one. */
export function unacknowledged(descriptor: number): number {
  return libc.ioctl(descriptor, SIOCOUTQ, valueBytes) === 0 ? value[0] ?? 0 : 0;
}

/** What a socket has failed with since it was asked last: 0, or the number of an error. */
export function pendingError(descriptor: number): number {
  length[0] = 4;
  const failed = libc.getsockopt(descriptor, SOL_SOCKET, SO_ERROR, valueBytes, lengthBytes) !== 0;
  return failed ? errno() : value[0] ?? 0;
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

const oneByte = new Uint8Array(1);

/** Whether a socket's peer has ended its direction, and nothing that it sent is left to be read. */
export function hasEnded(descriptor: number): boolean {
  return libc.recv(descriptor, oneByte, 1, MSG_PEEK) === 0;
}

/** Whether a socket's peer has sent something that is left to be read. */
export function hasUnread(descriptor: number): boolean {
  return libc.recv(descriptor, oneByte, 1, MSG_PEEK) > 0;
}

/** Whether there is nothing to be read from a socket for now: no byte, no end, no error. */
export function isSilent(descriptor: number): boolean {
  return libc.recv(descriptor, oneByte, 1, MSG_PEEK) < 0 && errno() === EAGAIN;
}

/**
 * Whether this machine has an address from which the given one can be reached. If so, a connection
 * that fails with EADDRNOTAVAIL lacks a local port, and nothing else.
 */
export function hasSourceFor(name: Uint8Array<ArrayBuffer>): boolean {
  const flags = SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC;
  const descriptor = libc.socket(familyOf(name), flags, 0);
  if (descriptor < 0) return false;
  // Of datagrams that only looks up the way, and sends nothing (udp(7)).
  const hasSource = libc.connect(descriptor, name, name.length) === 0;
  libc.close(descriptor);
  return hasSource;
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
 *
 * @param port the one that it was to be connected to
 */
export function isConnectedToItself(descriptor: number, port: number): boolean {
  length[0] = name.length;
  if (libc.getsockname(descriptor, name, lengthBytes) !== 0 || portOf(name) !== port) return false;
  // What is behind its end is of whoever was asked for before.
  const size = length[0];
  length[0] = otherName.length;
  if (libc.getpeername(descriptor, otherName, lengthBytes) !== 0 || length[0] !== size) {
    return false;
  }
  return name.subarray(0, size).every((byte, index) => byte === otherName[index]);
}

function setOption(descriptor: number, level: number, option: number, to: number): void {
  checked("setsockopt", tryToSet(descriptor, level, option, to));
}

/** @returns a negative number for an error */
function tryToSet(descriptor: number, level: number, option: number, to: number): number {
  value[0] = to;
  return libc.setsockopt(descriptor, level, option, valueBytes, 4);
}

function option(descriptor: number, level: number, option: number): number {
  length[0] = 4;
  checked("getsockopt", libc.getsockopt(descriptor, level, option, valueBytes, lengthBytes));
  return value[0] ?? 0;
}
