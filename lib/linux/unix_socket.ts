/**
 * Unix sockets that carry messages, and descriptors with them (unix(7)).
 *
 * @module
 */

import {
  checked,
  EAGAIN,
  ECONNRESET,
  EINTR,
  EINVAL,
  ENAMETOOLONG,
  ENODATA,
  ENOPROTOOPT,
  errno,
  ESRCH,
  ETOOMANYREFS,
  SystemError,
} from "./errno.ts";
import { libc } from "./libc.ts";
import { SOCK_CLOEXEC, SOL_SOCKET } from "./socket.ts";

const AF_UNIX = 1;
const SOCK_DGRAM = 2;
/** Messages keep their bounds, and the other side's end is noticed (bits/socket_type.h). */
const SOCK_SEQPACKET = 5;

/** Options of sockets (asm-generic/socket.h). */
const SO_PEERCRED = 17;
const SO_RCVTIMEO = 20;
const SO_SNDTIMEO = 21;
const SO_PEERPIDFD = 77;

/** Descriptors are passed (bits/socket.h). */
const SCM_RIGHTS = 1;
const MSG_CTRUNC = 0x8;
const MSG_TRUNC = 0x20;
const MSG_NOSIGNAL = 0x4000;
const MSG_CMSG_CLOEXEC = 0x40000000;

/** The most descriptors that one message can carry (SCM_MAX_FD, net/scm.h). */
export const MOST_DESCRIPTORS = 253;
/** The longest message that is sent, in bytes; it fits into the smallest usual buffer. */
export const LONGEST_MESSAGE = 64 * 1024;

/** How long there may be too many descriptors on their way, in milliseconds. */
const LONGEST_CROWD = 5000;

/** struct sockaddr_un: the family in 16 bits, then the path with its final zero (unix(7)). */
const SIZE_OF_PATH = 108;

/**
 * struct msghdr (recvmsg(2)), in 64-bit numbers: name, its length, the blocks of data, how many
 * there are, control data, its length, flags.
 */
const MSGHDR = {
  blocks: 2,
  blockCount: 3,
  control: 4,
  controlLength: 5,
  flags: 6,
  size: 7,
} as const;

/** struct cmsghdr (cmsg(3)): its length in 64 bits, then level and type in 32 each. */
const CMSG_HEADER = 16;

/** Who is on the other side. */
export interface PeerCredentials {
  /** 0 if it has no number in this PID namespace. */
  readonly pid: number;
  readonly uid: number;
}

/** A message that came. */
export interface ReceivedMessage {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly descriptors: number[];
}

/**
 * Listens at a path, where nothing may be yet.
 *
 * @returns its descriptor
 * @throws {SystemError} when that cannot be done
 */
export function listenAtPath(path: string): number {
  const descriptor = unixSocket();
  try {
    const name = nameOf(path);
    checked("bind", libc.bind(descriptor, name, name.length));
    checked("listen", libc.listen(descriptor, 8));
    return descriptor;
  } catch (error) {
    libc.close(descriptor);
    throw error;
  }
}

/**
 * Connects to a path.
 *
 * @param timeout how long that may take where too many wait already, in milliseconds
 * @returns its descriptor
 * @throws {SystemError} when nobody listens there; EAGAIN when the time is over
 */
export function connectToPath(path: string, timeout: number): number {
  const name = nameOf(path);
  const descriptor = unixSocket();
  limitWaiting(descriptor, timeout);
  if (libc.connect(descriptor, name, name.length) === 0) return descriptor;
  const error = new SystemError("connect");
  libc.close(descriptor);
  throw error;
}

/**
 * Sends a datagram to a path, or to a name that is no path if it begins with `@` (unix(7)).
 *
 * @param timeout how long whoever reads there may leave no room for it, in milliseconds
 * @returns whether somebody was there to take it
 */
export function sendDatagram(
  path: string,
  bytes: Uint8Array<ArrayBuffer>,
  timeout: number,
): boolean {
  const socket = libc.socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (socket < 0) return false;
  try {
    limitWaiting(socket, timeout);
    const isAbstract = path.startsWith("@");
    const name = nameOf(isAbstract ? `\0${path.slice(1)}` : path);
    // The zeros after a name that is no path would belong to it.
    const length = isAbstract ? 2 + new TextEncoder().encode(path).length : name.length;
    if (libc.connect(socket, name, length) !== 0) return false;
    return libc.send(socket, bytes, bytes.length, MSG_NOSIGNAL) === bytes.length;
  } catch {
    // There can be nobody at a name that is too long.
    return false;
  } finally {
    libc.close(socket);
  }
}

/** Accepts a connection. @throws {SystemError} when that fails */
export function acceptAt(listener: number): number {
  return checked("accept4", libc.accept4(listener, null, null, SOCK_CLOEXEC));
}

/** How long sending and receiving may take on a socket, in milliseconds. */
export function limitWaiting(descriptor: number, milliseconds: number): void {
  // struct timeval: seconds and microseconds, in 64 bits each (timeval(3type)).
  const time = new BigInt64Array([
    BigInt(Math.floor(milliseconds / 1000)),
    BigInt(milliseconds % 1000 * 1000),
  ]);
  const bytes = new Uint8Array(time.buffer);
  for (const option of [SO_RCVTIMEO, SO_SNDTIMEO]) {
    checked(
      "setsockopt",
      libc.setsockopt(descriptor, SOL_SOCKET, option, bytes, bytes.length),
    );
  }
}

/** Who is on the other side of a socket: the process that connected, or that listened (unix(7)). */
export function peerOf(descriptor: number): PeerCredentials {
  // struct ucred: three 32-bit numbers.
  const credentials = new Int32Array(3);
  const length = new Uint8Array(new Uint32Array([12]).buffer);
  checked(
    "getsockopt",
    libc.getsockopt(
      descriptor,
      SOL_SOCKET,
      SO_PEERCRED,
      new Uint8Array(credentials.buffer),
      length,
    ),
  );
  return { pid: credentials[0] as number, uid: credentials[1] as number };
}

/**
 * Opens the process on the other side of a socket, in whatever PID namespace it is. What the kernel
 * gives is its own knowledge, not what the other side says.
 *
 * @returns its descriptor (pidfd_open(2)); `null` where the kernel, before 6.5, has no way to tell
 * @throws {SystemError} when the process is gone
 */
export function openPeer(descriptor: number): number | null {
  const process = new Int32Array(1);
  const bytes = new Uint8Array(process.buffer);
  const length = new Uint8Array(new Uint32Array([bytes.length]).buffer);
  if (libc.getsockopt(descriptor, SOL_SOCKET, SO_PEERPIDFD, bytes, length) === 0) {
    return process[0] as number;
  }
  const error = errno();
  if (error === ENOPROTOOPT) return null;
  // Which of them depends on the version of the kernel.
  const isGone = error === EINVAL || error === ENODATA || error === ESRCH;
  throw new SystemError("getsockopt", isGone ? ESRCH : error);
}

const control = new Uint8Array(CMSG_HEADER + 4 * (MOST_DESCRIPTORS + 1));
const controlWords = new Int32Array(control.buffer);
const buffer = new Uint8Array(2 * LONGEST_MESSAGE);
const block = new BigUint64Array(2);
const header = new BigUint64Array(MSGHDR.size);
const headerBytes = new Uint8Array(header.buffer);

/**
 * Sends a message and descriptors with it.
 *
 * @throws {SystemError} when the other side is gone, or takes nothing for too long (EAGAIN)
 */
export function sendMessage(
  socket: number,
  bytes: Uint8Array<ArrayBuffer>,
  descriptors: readonly number[] = [],
): void {
  setHeader(bytes, descriptors.length === 0 ? 0 : CMSG_HEADER + 4 * descriptors.length);
  controlWords.set([CMSG_HEADER + 4 * descriptors.length, 0, SOL_SOCKET, SCM_RIGHTS]);
  controlWords.set(descriptors, CMSG_HEADER / 4);
  for (let refused = 0;;) {
    if (libc.sendmsg(socket, headerBytes, MSG_NOSIGNAL) >= 0) return;
    const error = errno();
    if (error === EINTR) continue;
    if (error !== ETOOMANYREFS) throw new SystemError("sendmsg", error);
    // Too many descriptors are on their way already: the other side will take some.
    if (++refused > LONGEST_CROWD) throw new SystemError("sendmsg", EAGAIN);
    libc.poll(null, 0, 1);
  }
}

/**
 * Receives a message.
 *
 * @returns `null` when the other side is gone
 * @throws {SystemError} when none comes for too long (EAGAIN), or it cannot be taken
 */
export function receiveMessage(socket: number): ReceivedMessage | null {
  setHeader(buffer, control.length);
  let count = libc.recvmsg(socket, headerBytes, MSG_CMSG_CLOEXEC);
  while (count < 0 && errno() === EINTR) {
    setHeader(buffer, control.length);
    count = libc.recvmsg(socket, headerBytes, MSG_CMSG_CLOEXEC);
  }
  if (count < 0) throw new SystemError("recvmsg");
  const flags = Number(header[MSGHDR.flags] ?? 0n);
  const descriptors: number[] = [];
  if ((header[MSGHDR.controlLength] ?? 0n) > 0n) {
    const end = (controlWords[0] as number) / 4;
    for (let index = CMSG_HEADER / 4; index < end; index++) {
      descriptors.push(controlWords[index] as number);
    }
  }
  if ((flags & (MSG_TRUNC | MSG_CTRUNC)) !== 0) {
    for (const descriptor of descriptors) libc.close(descriptor);
    throw new Error(
      "recvmsg: what came was cut short; perhaps the limit of open files (ulimit -n) is too low",
    );
  }
  if (count > 0) return { bytes: buffer.slice(0, count), descriptors };
  // An empty message looks like an end, and may have brought descriptors all the same.
  for (const descriptor of descriptors) libc.close(descriptor);
  return null;
}

/** Whether an error only says that the other side was silent for too long. */
export function isTimeout(error: unknown): boolean {
  return error instanceof SystemError && error.number === EAGAIN;
}

/** Whether an error says that the other side closed without having read everything. */
export function isReset(error: unknown): boolean {
  return error instanceof SystemError && error.number === ECONNRESET;
}

function setHeader(bytes: Uint8Array<ArrayBuffer>, controlLength: number): void {
  block[0] = addressOf(bytes);
  block[1] = BigInt(bytes.length);
  header.fill(0n);
  header[MSGHDR.blocks] = addressOf(block);
  header[MSGHDR.blockCount] = 1n;
  header[MSGHDR.control] = controlLength === 0 ? 0n : addressOf(control);
  header[MSGHDR.controlLength] = BigInt(controlLength);
}

function addressOf(bytes: BufferSource): bigint {
  return Deno.UnsafePointer.value(Deno.UnsafePointer.of(bytes));
}

function unixSocket(): number {
  return checked("socket", libc.socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
}

function nameOf(path: string): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(2 + SIZE_OF_PATH);
  new Uint16Array(bytes.buffer)[0] = AF_UNIX;
  const text = new TextEncoder().encode(path);
  if (text.length > SIZE_OF_PATH) throw new SystemError("bind", ENAMETOOLONG);
  bytes.set(text, 2);
  return bytes;
}
