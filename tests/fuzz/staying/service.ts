import assert from "node:assert/strict";
import { createServer, type Server, type Socket } from "node:net";
import { once } from "node:events";
import type { Address } from "../../../lib/address.ts";
import type { Talker } from "../../relay/quick_enough.ts";
import { pause } from "../../relay/waiting.ts";

/**
 * A service that answers each line `ID DELAY PIECES` with a line `ID VERSION`: after so many
 * milliseconds, in so many pieces. What is asked together is answered in order.
 */
export class LineService implements AsyncDisposable {
  /**
   * How many connections it has on which it was asked something. Of others there may be more: a relay
   * that is frozen here for good, as another goes on, keeps those that were just being connected.
   */
  open = 0;
  /** What it was asked, by id: how often. */
  readonly asked = new Map<string, number>();
  /** What it saw that must not be. */
  readonly wrongs: string[] = [];
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor(readonly version: number, private readonly talker: Talker) {
    this.#server = createServer({ allowHalfOpen: true }, (socket) => void this.#serve(socket));
  }

  /** @param talker who must not pause for too long within an answer */
  static async start(version: number, talker: Talker): Promise<LineService> {
    const service = new LineService(version, talker);
    service.#server.listen(0, "127.0.0.1");
    await once(service.#server, "listening");
    return service;
  }

  get address(): Address {
    const address = this.#server.address();
    assert(address !== null && typeof address === "object");
    return { host: address.address, port: address.port };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
    await once(this.#server, "close");
  }

  async #serve(socket: Socket): Promise<void> {
    let isOpen = false;
    this.#sockets.add(socket);
    socket.on("error", () => {});
    socket.on("close", () => {
      if (isOpen) this.open--;
      this.#sockets.delete(socket);
    });
    let rest = "";
    try {
      for await (const chunk of socket) {
        if (!isOpen && !socket.destroyed) this.open++;
        isOpen = true;
        rest += chunk;
        const lines = rest.split("\n");
        rest = lines.pop() ?? "";
        for (const line of lines) await this.#answer(socket, line);
      }
      if (rest !== "") this.wrongs.push(`version ${this.version} got only "${rest}" of a line`);
    } catch {
      // It was reset.
    }
    socket.end();
  }

  async #answer(socket: Socket, line: string): Promise<void> {
    const [id = "", delay, pieces] = line.split(" ");
    this.asked.set(id, (this.asked.get(id) ?? 0) + 1);
    await pause(Number(delay));
    let spokeAt: number | null = null;
    const answer = `${id} ${this.version}\n`;
    const size = Math.ceil(answer.length / Number(pieces));
    for (let start = 0; start < answer.length; start += size) {
      if (start > 0) await pause(this.talker.quiet / 8);
      const now = performance.now();
      if (spokeAt !== null) this.talker.paused(now - spokeAt);
      spokeAt = now;
      socket.write(answer.slice(start, start + size));
    }
  }
}
