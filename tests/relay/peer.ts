/**
 * The sockets at both ends of a relay: what the tests say and hear through it.
 *
 * @module
 */

import { connect, createServer, type Server, type Socket } from "node:net";
import { type Address, formatAddress, unmapped } from "../../lib/address.ts";
import { freePort } from "../support/free_port.ts";
import { Checksum } from "./checksum.ts";
import { within } from "./waiting.ts";

/** How much of what a peer received is kept for reading. */
const KEPT = 1 << 20;

/** How a direction came to its end. */
export type Ending = "end" | "reset";

/** One end of a connection. It reads all the time unless it is told not to. */
export class Peer implements Disposable {
  /** Its own address, `HOST:PORT`. */
  readonly name: string;
  received = 0;
  readonly #checksum = new Checksum();
  #kept = new Uint8Array();
  readonly #ending = Promise.withResolvers<Ending>();
  #changed = Promise.withResolvers<void>();

  constructor(readonly socket: Socket) {
    this.name = formatAddress({
      host: unmapped(socket.localAddress ?? "unknown"),
      port: socket.localPort ?? 0,
    });
    socket.on("data", (chunk: Uint8Array) => {
      this.received += chunk.length;
      this.#checksum.update(chunk);
      if (this.#kept.length < KEPT) this.#kept = concatenate(this.#kept, chunk);
      this.#tell();
    });
    socket.on("end", () => this.#ending.resolve("end"));
    socket.on("error", () => this.#ending.resolve("reset"));
    socket.on("close", () => this.#tell());
  }

  /** Connects to an address. */
  static async connect({ host, port }: Address): Promise<Peer> {
    const socket = connect({ host, port, allowHalfOpen: true, noDelay: true });
    const connected = Promise.withResolvers<void>();
    socket.once("connect", connected.resolve);
    socket.once("error", connected.reject);
    await within(connected.promise, `a connection to ${formatAddress({ host, port })}`);
    socket.off("error", connected.reject);
    return new Peer(socket);
  }

  /** How what it receives ends. */
  get ending(): Promise<Ending> {
    return within(this.#ending.promise, "the end of what a peer receives");
  }

  /** Writes, and waits until the system has taken all of it. */
  send(data: string | Uint8Array): Promise<void> {
    return new Promise((resolve, reject) => {
      this.socket.write(data, (error) => error ? reject(error) : resolve());
    });
  }

  /** Takes exactly so many of the bytes that have come, and waits for them. */
  async read(count: number): Promise<string> {
    while (this.#kept.length < count) {
      if (this.socket.destroyed) throw new Error(`Closed after "${decode(this.#kept)}"`);
      await within(this.#changed.promise, `${count} bytes after "${decode(this.#kept)}"`);
    }
    const taken = this.#kept.subarray(0, count);
    this.#kept = this.#kept.subarray(count);
    return decode(taken);
  }

  /** Everything from here to the end. @throws when the end is not a clean one */
  async rest(): Promise<string> {
    const ending = await this.ending;
    if (ending !== "end") throw new Error(`A ${ending} after "${decode(this.#kept)}"`);
    return await this.read(this.#kept.length);
  }

  /** The checksum of all it received. */
  get checksum(): number {
    return this.#checksum.value;
  }

  /** Ends its own direction; it still receives. */
  finish(): void {
    this.socket.end();
  }

  /** Resets the connection. */
  reset(): void {
    this.socket.resetAndDestroy();
  }

  [Symbol.dispose](): void {
    this.socket.destroy();
  }

  #tell(): void {
    this.#changed.resolve();
    this.#changed = Promise.withResolvers();
  }
}

/** The service behind a relay: hands out each connection that reaches it. */
export class Service implements AsyncDisposable {
  /** How many connections it was given. */
  accepted = 0;
  readonly #server: Server;
  readonly #waiting: Peer[] = [];
  readonly #peers: Peer[] = [];
  #arrived = Promise.withResolvers<void>();

  private constructor(private readonly handler: ((peer: Peer) => void) | null) {
    this.#server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
      const peer = new Peer(socket);
      this.accepted++;
      this.#peers.push(peer);
      if (this.handler !== null) return this.handler(peer);
      this.#waiting.push(peer);
      this.#arrived.resolve();
      this.#arrived = Promise.withResolvers();
    });
  }

  /** @param handler gets each connection; without it they are handed out by {@linkcode next} */
  static async start(
    { host = "127.0.0.1", port = 0 }: Partial<Address> = {},
    handler: ((peer: Peer) => void) | null = null,
  ): Promise<Service> {
    const service = new Service(handler);
    const listening = Promise.withResolvers<void>();
    service.#server.once("error", listening.reject);
    service.#server.listen({ host, port, backlog: 4096 }, listening.resolve);
    await listening.promise;
    return service;
  }

  get address(): Address {
    const { address, port } = this.#server.address() as { address: string; port: number };
    return { host: address, port };
  }

  /** The next connection. */
  async next(): Promise<Peer> {
    for (;;) {
      const peer = this.#waiting.shift();
      if (peer !== undefined) return peer;
      await within(this.#arrived.promise, "a connection to the service");
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const peer of this.#peers) peer[Symbol.dispose]();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

/** A service that sends back what it gets, with its name before it if it has one. */
export function echo(name = "", at: Partial<Address> = {}): Promise<Service> {
  return Service.start(at, ({ socket }) => {
    socket.write(name);
    socket.pipe(socket);
  });
}

/** An address where nobody listens, nor will by chance. */
export function unusedAddress(): Promise<Address> {
  return Promise.resolve({ host: "127.0.0.1", port: freePort() });
}

function concatenate(first: Uint8Array, second: Uint8Array): Uint8Array<ArrayBuffer> {
  const both = new Uint8Array(first.length + second.length);
  both.set(first);
  both.set(second, first.length);
  return both;
}

function decode(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}
