import type { Socket } from "node:net";
import type { Address } from "../../address.ts";
import type { ListenAt, PassedOn } from "../relay.ts";
import { Listener, type Where } from "./listener.ts";
import { reset } from "./sockets.ts";

/**
 * All that a relay listens on, as one: several sockets where one cannot take both IPv4 and IPv6, or
 * where a service manager passed on several.
 */
export class Listeners {
  /** Where they listen. */
  readonly at: Address[] = [];
  readonly #listeners: Listener[] = [];
  readonly #keepAlive: number | null;
  readonly #welcome: (client: Socket) => void;
  readonly #hasRoom: () => boolean;

  /**
   * @param keepAlive when to probe silent clients, in milliseconds; `null` is never
   * @param welcome gets each client's socket, paused: not a byte has been read
   * @param hasRoom is asked before each; if it says no, call {@linkcode proceed} when there is room
   */
  constructor(
    keepAlive: number | null,
    welcome: (client: Socket) => void,
    hasRoom: () => boolean,
  ) {
    this.#keepAlive = keepAlive;
    this.#welcome = welcome;
    this.#hasRoom = hasRoom;
  }

  /**
   * Starts to listen.
   *
   * @throws {Error} when the address cannot be had, or none of the sockets is wanted
   */
  async listen(at: ListenAt): Promise<void> {
    if ("descriptors" in at) return await this.#inherit(at);
    await this.#listenAt(at);
    const [{ host, port } = at] = this.at;
    if (at.host !== null || host !== "::" || takesBoth()) return;
    try {
      await this.#listenAt({ host: "0.0.0.0", port });
    } catch (error) {
      this.close();
      throw error;
    }
  }

  /** Whether there are clients for whom there was no room; how many, nobody can tell. */
  get isFull(): boolean {
    return this.#listeners.some(({ isFull }) => isFull);
  }

  /** Accepts those who wait, if there is room. */
  proceed(): void {
    for (const listener of this.#listeners) listener.proceed();
  }

  /** Waits until whoever was queued by now has been accepted (or there is no room). */
  async settled(): Promise<void> {
    await Promise.all(this.#listeners.map((listener) => listener.settled()));
  }

  /** Closes the sockets. Those who are still in the kernel's queue are reset by the kernel. */
  close(): void {
    for (const listener of this.#listeners) listener.close();
  }

  async #inherit({ descriptors, isWanted }: PassedOn): Promise<void> {
    for (const descriptor of descriptors) {
      try {
        await this.#listenAt({ descriptor }, (address) => isWanted(descriptor, address));
      } catch (error) {
        isWanted(descriptor, error as Error);
      }
    }
    if (this.#listeners.length === 0) throw new Error("no socket that was passed on can be used");
  }

  /** @param isWanted whether to serve those who come to that address */
  async #listenAt(
    at: Where,
    isWanted: (address: Address) => boolean = () => true,
  ): Promise<void> {
    // Whoever waits there may be accepted before it is known where that is.
    const early: Socket[] = [];
    let accepted = (client: Socket): void => void early.push(client);
    const listener = new Listener(this.#keepAlive, (client) => accepted(client), this.#hasRoom);
    const address = await listener.listen(at);
    if (isWanted(address)) {
      this.at.push(address);
      this.#listeners.push(listener);
      accepted = this.#welcome;
    } else {
      accepted = reset;
      listener.close();
    }
    for (const client of early) accepted(client);
  }
}

/** Whether a socket that listens on all IPv6 addresses takes IPv4 as well (net.ipv6.bindv6only). */
function takesBoth(): boolean {
  using sixth = Deno.listen({ hostname: "::", port: 0 });
  try {
    using _fourth = Deno.listen({ hostname: "0.0.0.0", port: sixth.addr.port });
    return false;
  } catch {
    // It has that port of both.
    return true;
  }
}
