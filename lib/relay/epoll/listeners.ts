import { type Address, formatAddress } from "../../address.ts";
import type { Epoll } from "../../linux/epoll.ts";
import { libc } from "../../linux/libc.ts";
import {
  adopt,
  cookieOf,
  isListening,
  limitUnacknowledged,
  localAddress,
  sendAtOnce,
  servesBothFamilies,
  SOCK_CLOEXEC,
  SOCK_NONBLOCK,
  watchNobody,
} from "../../linux/socket.ts";
import { LARGEST } from "../../linux/socket_address.ts";
import { type Queue, tryQueueOf } from "../../linux/tcp_info.ts";
import type { Listening } from "../unusable.ts";

const FLAGS = SOCK_NONBLOCK | SOCK_CLOEXEC;

/**
 * The listening sockets of a relay: one, or as many as a service manager passed on. Their queues are
 * one queue to everybody else.
 */
export class Listeners {
  /** The address of the client that was accepted last, as the kernel has it; changes with the next. */
  readonly peer = new Uint8Array(LARGEST);
  readonly #length = new Uint32Array(1);
  readonly #lengthBytes = new Uint8Array(this.#length.buffer);
  /** At which of them it is asked first. */
  #next = 0;
  #isOpen = true;

  /** @param descriptors of the sockets, at least one */
  constructor(readonly descriptors: readonly number[]) {}

  /** Where they listen. */
  get at(): Listening[] {
    return this.descriptors.map((descriptor) => ({
      ...localAddress(descriptor),
      bothFamilies: servesBothFamilies(descriptor),
    }));
  }

  /** Whether it has them still. */
  get isOpen(): boolean {
    return this.#isOpen;
  }

  /**
   * Prepares them, now that they are certainly this process's own.
   *
   * @param userTimeout how long a client may leave data unacknowledged, in milliseconds; `null` leaves
   *   it to the system
   */
  adopt(userTimeout: number | null): void {
    for (const descriptor of this.descriptors) {
      // A service manager that passed it on again, to whoever has taken over, may have made it one
      // that is waited for.
      adopt(descriptor);
      // What is accepted inherits these.
      sendAtOnce(descriptor);
      limitUnacknowledged(descriptor, userTimeout);
      // Each client is watched for itself. An earlier version had this option inherited.
      watchNobody(descriptor);
    }
  }

  /** Closes them, once. */
  close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    for (const descriptor of this.descriptors) libc.close(descriptor);
  }

  /** How many clients wait, as far as the system says. */
  get queued(): number {
    let queued = 0;
    if (!this.#isOpen) return queued;
    for (const descriptor of this.descriptors) queued += tryQueueOf(descriptor)?.length ?? 0;
    return queued;
  }

  /** How many may wait, as far as the system says; 0 where it does not. */
  get limit(): number {
    let limit = 0;
    if (!this.#isOpen) return limit;
    for (const descriptor of this.descriptors) limit += tryQueueOf(descriptor)?.limit ?? 0;
    return limit;
  }

  /** The queue that has the least room left, for its size; `null` where the system does not say. */
  get fullest(): Queue | null {
    let fullest: Queue | null = null;
    for (const descriptor of this.descriptors) {
      const queue = tryQueueOf(descriptor);
      if (queue === null) continue;
      const isFuller = fullest === null ||
        queue.length * fullest.limit > fullest.length * queue.limit;
      if (isFuller) fullest = queue;
    }
    return fullest;
  }

  /** Whether one of the queues is more than half full, so that clients are to be taken from it. */
  get isTooFull(): boolean {
    const { fullest } = this;
    return fullest !== null && fullest.length > fullest.limit >> 1;
  }

  /**
   * Accepts a client, from each of the sockets in turn as far as they have any.
   *
   * @returns its descriptor; a negative number if there is none, or there was an error
   */
  accept(): number {
    const { descriptors } = this;
    for (let tried = 0;; tried++) {
      this.#length[0] = LARGEST;
      const listener = descriptors[this.#next] as number;
      const client = libc.accept4(listener, this.peer, this.#lengthBytes, FLAGS);
      this.#next = (this.#next + 1) % descriptors.length;
      if (client >= 0 || tried === descriptors.length - 1) return client;
    }
  }

  /**
   * Waits for clients, at all of the sockets or at none.
   *
   * @param data the number with which their events come
   * @returns whether it waits: the system may have no memory for that
   */
  watch(epoll: Epoll, events: number, data: number): boolean {
    const refused = this.descriptors.findIndex((one) => !epoll.tryToAdd(one, events, data));
    if (refused === -1) return true;
    // Not of the others: that they are not there would be the error that is told.
    for (const descriptor of this.descriptors.slice(0, refused)) epoll.remove(descriptor);
    return false;
  }

  /** Waits for clients no more. */
  unwatch(epoll: Epoll): void {
    for (const descriptor of this.descriptors) epoll.remove(descriptor);
  }
}

/** Where each of some sockets listens, `HOST:PORT`, and its cookie. */
export function socketsOf(descriptors: readonly number[]): { listen: string; cookie: string }[] {
  return descriptors.map((descriptor) => ({
    listen: formatAddress(localAddress(descriptor)),
    cookie: cookieOf(descriptor),
  }));
}

/** @throws {Error} when one of some sockets does not listen */
export function checkListening(descriptors: readonly number[]): void {
  for (const descriptor of descriptors) {
    const at = whereItListens(descriptor);
    if (at instanceof Error) throw at;
  }
}

/** Where a socket listens; if it does not, why. */
export function whereItListens(descriptor: number): Address | Error {
  try {
    if (isListening(descriptor)) return localAddress(descriptor);
    return new Error("it is no TCP socket that listens");
  } catch (error) {
    return error as Error;
  }
}
