import { Buffer } from "node:buffer";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { Broken } from "./broken.ts";
import type { Moves } from "./moves.ts";
import type { Tally } from "./tally.ts";

/** How long a connection may be silent, in milliseconds: no hold of a storm takes so long. */
const LONGEST_SILENCE = 60_000;

/** One connection of a client. All that goes wrong with it is a {@linkcode Broken}. */
export class Call {
  readonly #socket: Socket;
  readonly #tally: Tally;
  readonly #pieces: AsyncIterator<Buffer>;
  readonly #began = performance.now();
  readonly #closed: Promise<unknown>;
  readonly #moves: Moves;
  #received: Buffer = Buffer.alloc(0);
  #connected = false;
  #answered = false;
  /** When something was sent for the first time after the last answer; `null` if nothing was. */
  #asked: number | null = null;
  #silent = false;

  /**
   * @param port of the proxy
   * @param moves of the connections through it
   */
  constructor(port: number, tally: Tally, moves: Moves) {
    this.#tally = tally;
    this.#moves = moves;
    this.#tally.connections++;
    this.#socket = connect({ host: "127.0.0.1", port, allowHalfOpen: true, noDelay: true });
    this.#pieces = this.#socket.iterator({ destroyOnReturn: false })[Symbol.asyncIterator]();
    this.#closed = new Promise((resolve) => this.#socket.once("close", resolve));
    this.#socket.once("connect", () => this.#connected = true);
    // The iterator fails with it as well.
    this.#socket.on("error", () => {});
    this.#socket.setTimeout(LONGEST_SILENCE, () => {
      this.#silent = true;
      this.#socket.destroy(new Error("silent"));
    });
  }

  /** Sends this, and waits while the other side is slow to take it. */
  async send(data: string | Uint8Array): Promise<void> {
    // Without this, a stream would go on being sent to nobody.
    if (this.#socket.destroyed) throw this.#broken("closed");
    this.#tally.bytes += data.length;
    this.#asked ??= performance.now();
    if (!this.#socket.write(data)) {
      await Promise.race([once(this.#socket, "drain").catch(() => {}), this.#closed]);
    }
  }

  /** Ends our side. */
  end(): void {
    this.#socket.end();
  }

  /** Waits for the next line. @returns it without its ending */
  async line(): Promise<string> {
    let end;
    while ((end = this.#received.indexOf("\n")) === -1) await this.#receive();
    return this.#take(end + 1).toString("latin1").trimEnd();
  }

  /** Waits for that many bytes, and hands them on as they come. */
  async bytes(count: number, each: (bytes: Uint8Array) => void): Promise<void> {
    for (let left = count; left > 0;) {
      if (this.#received.length === 0) await this.#receive();
      const piece = this.#take(Math.min(left, this.#received.length));
      left -= piece.length;
      each(piece);
    }
  }

  /** Waits for the end of the other side, before which nothing more may come, and closes. */
  async finish(): Promise<void> {
    const { done, value } = await this.#next();
    const surplus = done ? this.#received : value;
    if (surplus.length > 0) {
      throw new Broken("wrong", `answered more than was asked: ${surplus.toString("latin1")}`);
    }
    this.#socket.end();
    await this.#closed;
  }

  /** Gives the connection up, whatever its state. */
  destroy(): void {
    this.#socket.destroy();
  }

  async #receive(): Promise<void> {
    const { done, value } = await this.#next();
    if (done) {
      throw new Broken("truncated", "ended before all was answered");
    }
    this.#received = this.#received.length === 0 ? value : Buffer.concat([this.#received, value]);
    this.#tally.bytes += value.length;
    const now = performance.now();
    const asked = this.#asked ?? now;
    this.#asked = null;
    if (this.#answered) {
      // One that waits to be served is held, whoever moves meanwhile.
      if (!this.#moves.since(asked)) return;
      this.#tally.longestPause = Math.max(this.#tally.longestPause, now - asked);
    } else {
      this.#answered = true;
      this.#tally.longestHold = Math.max(this.#tally.longestHold, now - this.#began);
    }
  }

  async #next(): Promise<IteratorResult<Buffer, undefined>> {
    try {
      return await this.#pieces.next();
    } catch (error) {
      const { code, message } = error as { code?: string; message: string };
      throw this.#broken(code ?? message);
    }
  }

  #broken(how: string): Broken {
    if (this.#silent) return new Broken("truncated", `nothing for ${LONGEST_SILENCE / 1000} s`);
    return new Broken(this.#connected ? "reset" : "refused", how);
  }

  #take(count: number): Buffer {
    const taken = this.#received.subarray(0, count);
    this.#received = this.#received.subarray(count);
    return taken;
  }
}
