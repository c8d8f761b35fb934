import { now } from "../linux/clock.ts";
import { Epoll, EPOLLERR, EPOLLET, EPOLLHUP, EPOLLIN, EPOLLRDHUP } from "../linux/epoll.ts";
import { libc } from "../linux/libc.ts";
import { closeWithReset } from "../linux/socket.ts";
import { capacity, reservedToConnect } from "../relay/epoll/capacity.ts";
import { isGone } from "../relay/epoll/gone.ts";
import { Listeners } from "../relay/epoll/listeners.ts";
import type { MovedConnection, MovedRelay } from "../relay/epoll/moved.ts";
import type { Counters } from "../relay/relay.ts";

/** How many events are taken at once. */
const EVENTS = 256;

/** With which number events of listening sockets come; others come with the client's descriptor. */
const LISTENER = 0;

/** How many of those who wait the next proxy lets in at once, unless it is told otherwise. */
const USUALLY_CONNECTING = 128;

/**
 * The clients of a proxy that is gone, until another is there: those in the kernel's queue, and those
 * that are held. Who leaves is dropped; when the queue is half full, further ones are taken from there.
 */
export class WaitingRoom {
  readonly #relay: MovedRelay;
  readonly #listeners: Listeners;
  readonly #epoll = new Epoll(EVENTS);
  /** Those that are held, by their descriptors, in the order in which they began to wait. */
  readonly #held: Map<number, MovedConnection>;
  readonly #arrivals: number[];
  readonly #most: number;
  #lastId: number;
  #taken = 0;
  #left = 0;

  /**
   * @param relay what the proxy had, without active connections
   * @param most how many can be held; by default as many as there are descriptors for
   */
  constructor(relay: MovedRelay, most: number = mostHeld()) {
    this.#relay = relay;
    this.#listeners = new Listeners(relay.listeners);
    this.#held = new Map(relay.connections.map((one) => [one.client, one]));
    this.#arrivals = [...relay.arrivals];
    this.#lastId = relay.lastId;
    this.#most = most;
  }

  /** How many wait who were never served. */
  get queued(): number {
    return this.#listeners.queued + this.#held.size - this.suspended;
  }

  /** How many are held who were served before. */
  get suspended(): number {
    let suspended = 0;
    for (const { wasServed } of this.#held.values()) if (wasServed) suspended++;
    return suspended;
  }

  /** For how many milliseconds the one has been held that was never served and waits the longest. */
  get longestHold(): number {
    const first = [...this.#held.values()].reduce(
      (first, { wasServed, heldSince }) => wasServed ? first : Math.min(first, heldSince ?? first),
      this.#listeners.queued > 0 ? this.#arrivals[0] ?? Infinity : Infinity,
    );
    return Math.max(0, now() - first);
  }

  /** How many can be held in all; `null` where the system does not say. */
  get queueLimit(): number | null {
    const { limit } = this.#listeners;
    return limit === 0 ? null : limit + this.#most;
  }

  /** What has been counted, by the proxy and since. */
  get counters(): Counters {
    const { counters } = this.#relay;
    const { accepted, closed } = counters;
    return {
      ...counters,
      accepted: accepted + this.#taken,
      closed: { ...closed, client_left: closed.client_left + this.#left },
    };
  }

  /** What the next proxy is given. */
  get relay(): MovedRelay {
    const { counters } = this;
    const [lastId, arrivals] = [this.#lastId, this.#arrivals];
    const connections = [...this.#held.values()];
    return { ...this.#relay, lastId, arrivals, connections, counters };
  }

  /**
   * Begins to look after them.
   *
   * @returns a descriptor that becomes readable when something has to be done
   */
  open(): number {
    for (const { client } of this.#held.values()) this.#watch(client);
    this.#listeners.watch(this.#epoll, EPOLLIN | EPOLLET, LISTENER);
    return this.#epoll.descriptor;
  }

  /** Does what has to be done. */
  look(): void {
    for (let count = EVENTS; count === EVENTS;) {
      count = this.#epoll.wait(0);
      for (let index = 0; index < count; index++) {
        const data = this.#epoll.dataAt(index);
        if (data !== LISTENER) this.#lookAt(data);
      }
    }
    // Somebody may have made room, and a queue that is full tells of nobody any more.
    this.#takeFromQueue();
  }

  /** Resets those who wait. @returns how many these were */
  reset(): number {
    // Whoever passed the socket on keeps those who are in its queue.
    const inQueue = this.#relay.isInherited ? 0 : this.#listeners.queued;
    for (const client of this.#held.keys()) closeWithReset(client);
    return this.#held.size + inQueue;
  }

  #watch(client: number): void {
    this.#epoll.tryToAdd(client, EPOLLRDHUP | EPOLLHUP | EPOLLERR | EPOLLET, client);
  }

  #lookAt(client: number): void {
    // What the proxy would do with one that has sent something, only the proxy knows.
    if (!this.#held.has(client) || !isGone(client, false)) return;
    this.#held.delete(client);
    this.#left++;
    libc.close(client);
  }

  #takeFromQueue(): void {
    while (this.#listeners.isTooFull && this.#held.size < this.#most) {
      const client = this.#listeners.accept();
      if (client < 0) return;
      const time = now();
      this.#taken++;
      this.#held.set(client, {
        id: ++this.#lastId,
        client,
        upstream: -1,
        acceptedAt: time,
        lastByteAt: time,
        heldSince: this.#arrivals.shift() ?? time,
        wasServed: false,
        target: null,
        endedAt: null,
        bytesUp: 0,
        bytesDown: 0,
        up: null,
        down: null,
      });
      this.#watch(client);
    }
  }
}

/** How many there are descriptors for, beside what the next proxy needs for them: as it counts. */
function mostHeld(): number {
  const { descriptors } = capacity(null, 1);
  return descriptors - reservedToConnect(descriptors, USUALLY_CONNECTING);
}
