/**
 * Connections through a proxy whose every byte is checked, at both ends, as it comes.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { connect, type Socket } from "node:net";
import { randomBytes } from "node:crypto";
import { type Address, formatAddress } from "../../lib/address.ts";
import type { Service } from "../relay/peer.ts";
import { within } from "../relay/waiting.ts";

/** What everybody says, over and over; no power of two long, as all buffers are. */
const PATTERN = randomBytes(65_521);
const TWICE = Buffer.concat([PATTERN, PATTERN]);
/** What is written at once, in bytes. */
const PIECE = 32 * 1024;
/**
 * How long who talks rests after each piece that it hears, in milliseconds: all buffers on the way to it
 * are full, and the processor is left for something else.
 */
const REST = 25;

/** One end of a wire: what it says, and what it must hear. */
export class End {
  /** How many bytes were written, and how many were heard and were right. */
  said = 0;
  heard = 0;
  /** What was wrong with what came; `null` while nothing is. */
  fault: string | null = null;
  /** How what it hears has ended. */
  ending: "end" | "reset" | null = null;
  /** The longest time between two pieces while it is being talked to, in milliseconds. */
  longestGap = 0;
  #heardAt: number | null = null;
  #isTalking = false;
  #resting: ReturnType<typeof setTimeout> | undefined;
  #changed = Promise.withResolvers<void>();

  /**
   * @param says where in the pattern what it says begins
   * @param hears where in the pattern what it hears begins
   */
  constructor(
    readonly socket: Socket,
    private readonly says: number,
    private readonly hears: number,
  ) {
    socket.on("data", (piece: Uint8Array) => this.#hear(piece));
    socket.on("end", () => this.#ended("end"));
    socket.on("error", () => this.#ended("reset"));
    socket.on("close", () => this.#ended("reset"));
    socket.on("drain", () => this.#talk());
  }

  /** Says so many bytes. */
  say(count: number): void {
    for (let left = count; left > 0;) {
      const piece = this.#next(Math.min(left, PIECE));
      left -= piece.length;
      this.socket.write(piece);
    }
  }

  /** Says as much as it can from now on. */
  talk(): void {
    this.#isTalking = true;
    this.#talk();
  }

  /** Says no more than it has said, and hears all that comes without a rest. */
  hush(): void {
    this.#isTalking = false;
    if (this.#resting === undefined) return;
    clearTimeout(this.#resting);
    this.#goOn();
  }

  /** Closes its socket. */
  close(): void {
    this.hush();
    this.socket.destroy();
  }

  /** Measures the gaps in what it hears from now on. */
  listenClosely(): void {
    this.longestGap = 0;
    this.#heardAt = performance.now();
  }

  /** Waits until something is so that changes only with what it hears. */
  async until(condition: () => boolean, what: string): Promise<void> {
    while (!condition()) {
      if (this.fault !== null) throw new Error(this.fault);
      await within(this.#changed.promise, `${what} at an end that has heard ${this.heard} bytes`);
    }
  }

  #next(count: number): Uint8Array {
    const at = (this.says + this.said) % PATTERN.length;
    this.said += count;
    return TWICE.subarray(at, at + count);
  }

  #talk(): void {
    while (this.#isTalking && this.socket.writable && this.socket.write(this.#next(PIECE)));
  }

  #hear(piece: Uint8Array): void {
    const now = performance.now();
    if (this.#heardAt !== null) {
      this.longestGap = Math.max(this.longestGap, now - this.#heardAt);
      this.#heardAt = now;
    }
    for (let start = 0; start < piece.length; start += PATTERN.length) {
      const some = piece.subarray(start, start + PATTERN.length);
      const at = (this.hears + this.heard) % PATTERN.length;
      if (Buffer.compare(TWICE.subarray(at, at + some.length), some) !== 0) {
        this.fault ??= `wrong bytes after ${this.heard}`;
      }
      this.heard += some.length;
    }
    if (this.#isTalking) this.#rest();
    this.#tell();
  }

  #rest(): void {
    this.socket.pause();
    this.#resting ??= setTimeout(() => this.#goOn(), REST);
  }

  #goOn(): void {
    this.#resting = undefined;
    this.socket.resume();
  }

  #ended(how: "end" | "reset"): void {
    this.ending ??= how;
    this.#tell();
  }

  #tell(): void {
    this.#changed.resolve();
    this.#changed = Promise.withResolvers();
  }
}

/** A connection: the client's end and the service's. Disposing of it closes both. */
export class Wire implements Disposable {
  private constructor(
    readonly client: End,
    readonly service: End,
    /** The client's address, as the proxy sees it. */
    readonly name: string,
  ) {}

  /** Connects a client, and waits until it has reached the service. */
  static async through(proxy: Address, service: Service, number = 0): Promise<Wire> {
    const socket = await connected(proxy);
    const { socket: far } = await service.next();
    const [up, down] = [number * 7919, number * 104_729 + 1].map((start) => start % PATTERN.length);
    // Everything about it is checked here.
    far.removeAllListeners("data");
    const { localAddress: host = "", localPort: port = 0 } = socket;
    return new Wire(
      new End(socket, up as number, down as number),
      new End(far, down as number, up as number),
      formatAddress({ host, port }),
    );
  }

  get ends(): readonly [End, End] {
    return [this.client, this.service];
  }

  /** What was wrong; `null` if nothing was. */
  get fault(): string | null {
    return this.client.fault ?? this.service.fault;
  }

  /** Whether anything came to an end. */
  get isOver(): boolean {
    return this.client.ending !== null || this.service.ending !== null;
  }

  /** Waits until each end has heard all that the other has said. */
  async settle(): Promise<void> {
    const [client, service] = this.ends;
    for (const end of this.ends) end.hush();
    const total = (from: End) => `all ${from.said} bytes`;
    await service.until(() => service.heard >= client.said, total(client));
    await client.until(() => client.heard >= service.said, total(service));
  }

  [Symbol.dispose](): void {
    for (const end of this.ends) end.close();
  }
}

/** A socket that is connected to an address. */
export async function connected({ host, port }: Address): Promise<Socket> {
  const socket = connect({ host, port, allowHalfOpen: true, noDelay: true });
  const done = Promise.withResolvers<void>();
  socket.once("connect", done.resolve);
  socket.once("error", done.reject);
  await within(done.promise, `a connection to ${formatAddress({ host, port })}`);
  socket.off("error", done.reject);
  return socket;
}
