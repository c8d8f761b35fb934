/**
 * The listening socket of the portable relay.
 *
 * @module
 */

import { createServer, type Server, type Socket } from "node:net";
import type { Address, ListenAddress } from "../../address.ts";

/** What the kernel may queue; it takes less if net.core.somaxconn says so (listen(2)). */
const BACKLOG = 4096;

/** How often the event loop must find nothing to accept before the queue counts as empty. */
const QUIET_TURNS = 4;

/** The handle below a server of `node:net`: the parts with which accepting can be paused. */
interface Handle {
  onconnection(this: Handle, status: number): void;
  listen(backlog: number): number;
}

/** A listening socket whose clients can be left in the kernel's queue. */
export class Listener {
  readonly #server: Server;
  readonly #accepted: (client: Socket) => void;
  readonly #hasRoom: () => boolean;
  #accept: (() => void) | null = null;
  #waiting = false;
  #accepts = 0;

  /**
   * @param accepted gets each client's socket, paused: not a byte has been read
   * @param hasRoom is asked before each; if it says no, call {@linkcode proceed} when there is room
   */
  constructor(accepted: (client: Socket) => void, hasRoom: () => boolean) {
    this.#accepted = accepted;
    this.#hasRoom = hasRoom;
    this.#server = createServer(
      { allowHalfOpen: true, pauseOnConnect: true, noDelay: true, keepAlive: true },
      (client) => {
        this.#accepts++;
        this.#accepted(client);
      },
    );
  }

  /**
   * Starts to listen.
   *
   * @returns where, with the real port
   * @throws when the address cannot be had
   */
  async listen({ host, port }: ListenAddress): Promise<Address> {
    const listening = Promise.withResolvers<void>();
    this.#server.once("error", listening.reject);
    this.#server.listen({ port, backlog: BACKLOG, ...(host !== null && { host }) }, () => {
      // In the callback: not a turn of the event loop may pass with nobody asking for room.
      this.#askForRoom();
      listening.resolve();
    });
    await listening.promise;
    this.#server.off("error", listening.reject);
    // A connection that was reset before it could be accepted, or no descriptor: it is tried again.
    this.#server.on("error", () => {});
    const { address, port: realPort } = this.#server.address() as { address: string; port: number };
    return { host: address, port: realPort };
  }

  /** Goes on accepting after there was no room. */
  proceed(): void {
    if (!this.#waiting || !this.#hasRoom()) return;
    this.#waiting = false;
    // First those that were taken from the kernel already, then the kernel's queue itself.
    let before;
    do {
      before = this.#accepts;
      this.#accept?.();
    } while (this.#accepts > before && !this.#waiting);
    if (!this.#waiting) (this.#server as { _handle?: Handle })._handle?.listen(BACKLOG);
  }

  /** Waits until whoever was queued by now has been accepted (or there is no room). */
  async settled(): Promise<void> {
    let before;
    for (let quiet = 0; quiet < QUIET_TURNS; quiet = this.#accepts > before ? 0 : quiet + 1) {
      before = this.#accepts;
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  /** Closes the listening socket; what is still in the kernel's queue is reset. */
  close(): void {
    this.#server.close();
  }

  /**
   * `node:net` can refuse connections (`maxConnections`) but not leave them queued. Its handle, as
   * in Node's own sources (lib/net.js), calls `onconnection` for each connection: when that does
   * not accept, no more are accepted until the handle is told to listen once more. The same call
   * also wakes a handle that ran out of descriptors, which would otherwise sleep for ever.
   */
  #askForRoom(): void {
    const handle = (this.#server as { _handle?: Handle })._handle;
    if (typeof handle?.onconnection !== "function") return;
    const accept = handle.onconnection;
    this.#accept = () => accept.call(handle, 0);
    handle.onconnection = (status) => {
      if (status === 0 && !this.#waiting && this.#hasRoom()) accept.call(handle, status);
      else this.#waiting = true;
    };
  }
}
