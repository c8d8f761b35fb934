/**
 * epoll(7): which of many descriptors are ready.
 *
 * @module
 */

import { checked, SystemError } from "./errno.ts";
import { libc } from "./libc.ts";

/** Events (sys/epoll.h). */
export const EPOLLIN = 0x001;
export const EPOLLPRI = 0x002;
export const EPOLLOUT = 0x004;
export const EPOLLERR = 0x008;
export const EPOLLHUP = 0x010;
export const EPOLLRDHUP = 0x2000;
/** Of several that wait for the same descriptor, wakes one. */
export const EPOLLEXCLUSIVE = 1 << 28;
/** Tells of a change, once. */
export const EPOLLET = 1 << 31;

/** A flag of epoll_create1(2), and commands of epoll_ctl(2) (sys/epoll.h). */
export const EPOLL_CLOEXEC = 0o2000000;
export const EPOLL_CTL_ADD = 1;
export const EPOLL_CTL_DEL = 2;

/**
 * struct epoll_event, in 32-bit words, on a processor: the events, then 64 bits that are ours. It is
 * packed on x86_64 only (EPOLL_PACKED in bits/epoll.h); elsewhere the latter are aligned.
 */
export function eventLayout(arch: string): { readonly words: number; readonly data: number } {
  return arch === "x86_64" ? { words: 3, data: 1 } : { words: 4, data: 2 };
}

/** struct epoll_event on this processor. */
export const EVENT = eventLayout(Deno.build.arch);

/** The size of struct epoll_event, in bytes. */
export const EVENT_SIZE = EVENT.words * 4;

/** An epoll instance. It keeps what it was told last; reading that allocates nothing. */
export class Epoll {
  readonly descriptor: number;
  readonly #room: number;
  readonly #events: Uint8Array<ArrayBuffer>;
  readonly #words: Int32Array;
  readonly #event = new Uint8Array(EVENT_SIZE);
  readonly #eventWords = new Int32Array(this.#event.buffer);

  /**
   * @param room how many events one {@linkcode wait} may bring
   * @throws {SystemError} when there is no descriptor for it
   */
  constructor(room: number) {
    this.descriptor = checked("epoll_create1", libc.epoll_create1(EPOLL_CLOEXEC));
    this.#room = room;
    this.#events = new Uint8Array(room * EVENT_SIZE);
    this.#words = new Int32Array(this.#events.buffer);
  }

  /**
   * Waits for events of a descriptor, and gives them with this number. Closing the descriptor ends
   * that.
   *
   * @throws {SystemError} when the system has no memory for it
   */
  add(descriptor: number, events: number, data: number): void {
    if (!this.tryToAdd(descriptor, events, data)) throw new SystemError("epoll_ctl");
  }

  /**
   * As {@linkcode add}, for those who can do without.
   *
   * @returns whether it waits
   */
  tryToAdd(descriptor: number, events: number, data: number): boolean {
    this.#eventWords[0] = events;
    this.#eventWords[EVENT.data] = data;
    return libc.epoll_ctl(this.descriptor, EPOLL_CTL_ADD, descriptor, this.#event) === 0;
  }

  /** Waits for events of a descriptor no more. */
  remove(descriptor: number): void {
    libc.epoll_ctl(this.descriptor, EPOLL_CTL_DEL, descriptor, this.#event);
  }

  /**
   * Waits.
   *
   * @param timeout in milliseconds, -1 for ever
   * @returns how many events there are, or a negative number for an error
   */
  wait(timeout: number): number {
    return libc.epoll_wait(this.descriptor, this.#events, this.#room, timeout);
  }

  /** The events of the n-th descriptor of the last {@linkcode wait}. */
  eventsAt(index: number): number {
    return this.#words[index * EVENT.words] as number;
  }

  /** The number that was given with the n-th descriptor. */
  dataAt(index: number): number {
    return this.#words[index * EVENT.words + EVENT.data] as number;
  }

  /** Gives its descriptor back. */
  close(): void {
    libc.close(this.descriptor);
  }
}
