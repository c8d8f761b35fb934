/**
 * Many ends of connections, in one loop: the service, and the clients.
 *
 * @module
 */

import type { Address } from "../../lib/address.ts";
import { Epoll, EPOLLET, EPOLLIN, EPOLLOUT, EPOLLRDHUP } from "../../lib/linux/epoll.ts";
import { checked, EINPROGRESS, errno, SystemError } from "../../lib/linux/errno.ts";
import { libc } from "../../lib/linux/libc.ts";
import {
  localAddress,
  newSocket,
  sendAtOnce,
  SOCK_CLOEXEC,
  SOCK_NONBLOCK,
} from "../../lib/linux/socket.ts";
import { AF_INET, encode } from "../../lib/linux/socket_address.ts";
import { End } from "./end.ts";

const HOST = "127.0.0.1";
const BACKLOG = 4096;

/** How many events are taken at once. */
const EVENTS = 512;

/** With what number events of the listening sockets come; the ends' are positive. */
const LISTENING = 0;

/** Options of sockets (asm-generic/socket.h, linux/tcp.h). */
const SOL_SOCKET = 1;
const SO_RCVBUF = 8;
const SO_REUSEPORT = 15;
const IPPROTO_TCP = 6;
const TCP_MAXSEG = 2;

/**
 * How a socket receives. What the loopback interface has by itself, segments of 64 KiB, lets whoever
 * sends have megabytes on the way; with those of a real network, and a small buffer, it has to wait.
 */
export interface Shape {
  /** In bytes; `null` is what the interface has. */
  readonly segment: number | null;
  /** In bytes; `null` is as large as the system thinks fit. */
  readonly buffer: number | null;
}

/** All of them. Large segments and a small buffer do not go together: TCP would crawl. */
export const SHAPES: readonly Shape[] = [
  { segment: null, buffer: null },
  { segment: null, buffer: 65_536 },
  { segment: 1460, buffer: 1 << 18 },
  { segment: 1460, buffer: 16_384 },
  { segment: 536, buffer: 8192 },
];

/** A client, and the port that it comes from. */
export interface Client {
  readonly end: End;
  readonly port: number;
}

/** Everybody who is connected, or connecting, to a relay. Disposing of it closes all sockets. */
export class Crowd implements Disposable {
  /** Where the service listens. */
  readonly service: Address;
  /** Gets each connection that reaches the service. */
  welcome: (end: End) => void = () => {};
  readonly #epoll = new Epoll(EVENTS);
  /** For each shape one: the system gives a connection to any of them. */
  readonly #listening: number[] = [];
  readonly #ends = new Map<number, End>();
  #lastNumber = LISTENING;

  constructor() {
    let address = { host: HOST, port: 0 };
    for (const shape of SHAPES) {
      const descriptor = listenAt(address, shape);
      this.#listening.push(descriptor);
      this.#epoll.add(descriptor, EPOLLIN | EPOLLET, LISTENING);
      address = localAddress(descriptor);
    }
    this.service = address;
  }

  /** How many ends are not over. */
  get size(): number {
    return this.#ends.size;
  }

  /** A new client. @throws {SystemError} when there is no descriptor, or no port, for it */
  connect(to: Address, shape: Shape): Client {
    const descriptor = newSocket(AF_INET);
    give(descriptor, shape);
    const name = encode(to);
    if (libc.connect(descriptor, name, name.length) !== 0 && errno() !== EINPROGRESS) {
      throw new SystemError("connect");
    }
    return { end: this.#add(descriptor), port: localAddress(descriptor).port };
  }

  /**
   * Lets everybody do what can be done.
   *
   * @param timeout for how many milliseconds it waits if there is nothing to be done
   * @returns whether there was something
   */
  turn(timeout: number): boolean {
    const count = this.#epoll.wait(timeout);
    for (let index = 0; index < count; index++) this.#tell(index);
    let moved = false;
    for (const [number, end] of this.#ends) {
      if (end.move()) moved = true;
      if (end.over) this.#ends.delete(number);
    }
    return moved;
  }

  /** Gives up those who have done nothing for so long, or last longer than that, in milliseconds. */
  giveUp(patience: number, life: number): void {
    const now = performance.now();
    for (const end of this.#ends.values()) {
      if (now - end.lastMove > patience) end.giveUp(`for ${patience} ms`);
      else if (now - end.began > life) end.giveUp(`it has lasted ${life} ms`);
    }
  }

  [Symbol.dispose](): void {
    for (const end of this.#ends.values()) end.giveUp("the end");
    for (const descriptor of this.#listening) libc.close(descriptor);
    this.#epoll.close();
  }

  #tell(index: number): void {
    const number = this.#epoll.dataAt(index);
    if (number === LISTENING) return this.#listening.forEach((from) => this.#accept(from));
    const end = this.#ends.get(number);
    if (end === undefined) return;
    const events = this.#epoll.eventsAt(index);
    // Whatever else there is, be it an error, is for the next call on the socket to tell.
    if (events !== EPOLLOUT) end.readable = true;
    if (events !== EPOLLIN) end.writable = true;
  }

  #accept(from: number): void {
    for (;;) {
      const descriptor = libc.accept4(from, null, null, SOCK_NONBLOCK | SOCK_CLOEXEC);
      if (descriptor < 0) return;
      this.welcome(this.#add(descriptor));
    }
  }

  #add(descriptor: number): End {
    sendAtOnce(descriptor);
    const end = new End(descriptor);
    this.#ends.set(++this.#lastNumber, end);
    this.#epoll.add(descriptor, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, this.#lastNumber);
    return end;
  }
}

/** @throws {SystemError} when the address cannot be had */
function listenAt(address: Address, shape: Shape): number {
  const descriptor = newSocket(AF_INET);
  set(descriptor, SOL_SOCKET, SO_REUSEPORT, 1);
  give(descriptor, shape);
  const name = encode(address);
  checked("bind", libc.bind(descriptor, name, name.length));
  checked("listen", libc.listen(descriptor, BACKLOG));
  return descriptor;
}

/** To be given before it listens or connects: what it offers its peer then cannot be taken back. */
function give(descriptor: number, { segment, buffer }: Shape): void {
  if (segment !== null) set(descriptor, IPPROTO_TCP, TCP_MAXSEG, segment);
  if (buffer !== null) set(descriptor, SOL_SOCKET, SO_RCVBUF, buffer);
}

function set(descriptor: number, level: number, option: number, value: number): void {
  const bytes = new Uint8Array(new Int32Array([value]).buffer);
  checked("setsockopt", libc.setsockopt(descriptor, level, option, bytes, bytes.length));
}
