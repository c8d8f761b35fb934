/**
 * The listening socket of the portable relay.
 *
 * @module
 */

import { createServer, type ListenOptions, type Server, type Socket } from "node:net";
import type { Address, ListenAddress } from "../../address.ts";
import { watchPeer } from "./sockets.ts";

/** What the kernel may queue; it takes less if net.core.somaxconn says so (listen(2)). */
const BACKLOG = 4096;

/**
 * How many connections Deno may take before it asks for room: all that are queued, but Tokio lets a
 * task do no more than so many operations at once (tokio::task::coop).
 */
export const LONGEST_BURST = 128;

/** How often the event loop must find nothing to accept before the queue counts as empty. */
const QUIET_TURNS = 3;

/** An address, or a socket that listens already. */
export type Where = ListenAddress | { readonly descriptor: number };

/** The handle below a server of `node:net`: the parts with which accepting can be paused. */
interface Handle {
  onconnection(this: Handle, status: number): void;
  listen(backlog: number): number;
}

/**
 * A listening socket that accepts no more than there is room for.
 *
 * `node:net` can refuse connections (`maxConnections`) but not leave them queued. Its handle, as in
 * Node's own sources (lib/net.js), calls `onconnection` for each connection: when that does not
 * accept, no more are accepted until there was nothing left to accept and the handle was told to
 * listen once more. The same call also wakes a handle that ran out of descriptors, which would
 * otherwise sleep for ever.
 */
export class Listener {
  readonly #server: Server;
  readonly #hasRoom: () => boolean;
  /** Takes one connection, if there is one. */
  #accept = () => {};
  #waiting = false;
  #accepts = 0;

  /**
   * @param keepAlive when to probe silent clients, in milliseconds; `null` is never
   * @param accepted gets each client's socket, paused: not a byte has been read
   * @param hasRoom is asked before each; if it says no, call {@linkcode proceed} when there is room
   */
  constructor(
    keepAlive: number | null,
    accepted: (client: Socket) => void,
    hasRoom: () => boolean,
  ) {
    this.#hasRoom = hasRoom;
    this.#server = createServer(
      { allowHalfOpen: true, pauseOnConnect: true, noDelay: true },
      (client) => {
        this.#accepts++;
        // Deno ignores the option of that name.
        watchPeer(client, keepAlive);
        accepted(client);
      },
    );
  }

  /**
   * Starts to listen.
   *
   * @returns where, with the real port
   * @throws when the address cannot be had
   */
  async listen(at: Where): Promise<Address> {
    const listening = Promise.withResolvers<void>();
    this.#server.once("error", listening.reject);
    this.#server.listen(listenOptions(at), () => {
      // In the callback: not a turn of the event loop may pass with nobody asking for room.
      this.#askForRoom();
      listening.resolve();
    });
    await listening.promise;
    this.#server.off("error", listening.reject);
    // There was nothing to accept, or no descriptor: it is tried again.
    this.#server.on("error", () => {});
    const { address, port: realPort } = this.#server.address() as { address: string; port: number };
    return { host: address, port: realPort };
  }

  /** Whether there are clients for whom there was no room; how many, nobody can tell. */
  get isFull(): boolean {
    return this.#waiting;
  }

  /** Accepts those who wait, if there is room. */
  proceed(): void {
    if (this.#waiting) {
      // First those that were taken from the kernel already.
      if (!this.#takeWhile(this.#hasRoom)) return;
      this.#waiting = false;
    }
    this.#handle?.listen(BACKLOG);
  }

  /** Waits until whoever was queued by now has been accepted (or there is no room). */
  async settled(): Promise<void> {
    // Not for those who come meanwhile: no more than that were queued.
    const most = this.#accepts + BACKLOG;
    let before;
    for (let quiet = 0; quiet < QUIET_TURNS; quiet = this.#accepts > before ? 0 : quiet + 1) {
      if (this.#accepts > most) return;
      before = this.#accepts;
      // Not setImmediate: the system is only asked for events when there is nothing else to do.
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
  }

  /** Closes the listening socket. What is still in the kernel's queue is reset by the kernel. */
  close(): void {
    // Those that were taken from it would be closed as if in peace.
    if (this.#waiting) this.#takeWhile(() => true);
    this.#waiting = false;
    this.#server.close();
  }

  get #handle(): Handle | undefined {
    return (this.#server as { _handle?: Handle })._handle;
  }

  /** @returns whether all have been taken */
  #takeWhile(condition: () => boolean): boolean {
    for (let before = -1; this.#accepts > before;) {
      if (!condition()) return false;
      before = this.#accepts;
      this.#accept();
    }
    return true;
  }

  #askForRoom(): void {
    const handle = this.#handle;
    if (typeof handle?.onconnection !== "function") return;
    const accept = handle.onconnection;
    this.#accept = () => accept.call(handle, 0);
    handle.onconnection = (status) => {
      if (status === 0 && !this.#waiting && this.#hasRoom()) accept.call(handle, status);
      else this.#waiting = true;
    };
  }
}

function listenOptions(at: Where): ListenOptions & { fd?: number } {
  if ("descriptor" in at) return { fd: at.descriptor };
  const { host, port } = at;
  return { port, backlog: BACKLOG, ...(host !== null && { host }) };
}
