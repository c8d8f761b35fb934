import type { Epoll } from "../../linux/epoll.ts";
import { libc } from "../../linux/libc.ts";
import { endShared, resetShared } from "../../linux/socket.ts";

/**
 * The ends of sockets of which another process has copies, or is about to: they end for all, and at
 * once, where a close would say nothing.
 *
 * A socket that was told of may still be on its way to the other process. So its number stays taken
 * until what was told has been sent: as that of another socket, it would be that which is sent.
 */
export class SharedSockets {
  readonly #epoll: Epoll;
  /** Those that have ended since something was told. */
  readonly #ended: number[] = [];
  #isTelling = false;

  /** @param epoll where their events are waited for */
  constructor(epoll: Epoll) {
    this.#epoll = epoll;
  }

  /** Sockets are told of from now on, and may be sent until {@linkcode sent}. */
  telling(): void {
    this.#isTelling = true;
  }

  /** Nothing of what was told is still to be sent. */
  sent(): void {
    this.#isTelling = false;
    for (const descriptor of this.#ended.splice(0)) libc.close(descriptor);
  }

  /** Closes one: its peer sees an end. */
  close(descriptor: number): void {
    this.#forget(descriptor);
    endShared(descriptor);
    this.#release(descriptor);
  }

  /** Closes one: its peer sees a reset. */
  reset(descriptor: number): void {
    this.#forget(descriptor);
    resetShared(descriptor);
    this.#release(descriptor);
  }

  /** As long as there is a copy, a close does not end its events. */
  #forget(descriptor: number): void {
    this.#epoll.remove(descriptor);
  }

  #release(descriptor: number): void {
    if (this.#isTelling) this.#ended.push(descriptor);
    else libc.close(descriptor);
  }
}
