/**
 * An HTTP server for few clients, as of a control socket: a request for each connection, which is
 * closed once it is answered.
 *
 * Whatever they do, they take only a small part of the process: there is room for
 * {@linkcode MOST_CONNECTIONS}, a request is bounded in size and in time, and whoever has not asked
 * yet makes room for those who come. (`Deno.serve` bounds nothing, and ends when it cannot accept.)
 *
 * @module
 */

import { setTimeout as delay } from "node:timers/promises";
import { within } from "../../within.ts";
import { ControlConnection } from "./connection.ts";
import type { Handler, Headers } from "./messages.ts";

/** How many connections there may be. The relays leave descriptors for them. */
export const MOST_CONNECTIONS = 64;

/** How long somebody may keep others out before the request has arrived, in milliseconds. */
const GRACE = 100;

/** How long those who are being answered may hold up the end, in milliseconds. */
const CLOSE_TIMEOUT = 500;

/** How soon it is tried again to accept where descriptors have run out, in milliseconds. */
const AGAIN_AFTER = 100;

/** A server that runs. */
export class HttpServer {
  readonly #listener: Deno.Listener;
  readonly #handler: Handler;
  readonly #always: Headers;
  /** The oldest first, each with its end. */
  readonly #connections = new Map<ControlConnection, Promise<void>>();
  #someoneLeft = () => {};
  #isOver = false;

  /**
   * @param listener is closed with the server
   * @param always headers of every answer, whatever it is
   */
  constructor(listener: Deno.Listener, handler: Handler, always: Headers = {}) {
    this.#listener = listener;
    this.#handler = handler;
    this.#always = always;
    void this.#acceptAll();
  }

  /** Accepts nobody any more; resolves when those are gone who were there, after a while for sure. */
  async close(): Promise<void> {
    if (!this.#isOver) this.#listener.close();
    this.#isOver = true;
    await this.#allGone(GRACE);
    for (const one of this.#idle()) one.close();
    await this.#allGone(CLOSE_TIMEOUT);
    for (const one of this.#connections.keys()) one.close();
  }

  async #acceptAll(): Promise<void> {
    while (!this.#isOver) {
      try {
        while (this.#connections.size >= MOST_CONNECTIONS) await this.#makeRoom();
        this.#serve(await this.#listener.accept());
      } catch {
        // It is over, or there are no descriptors.
        if (this.#isOver) return;
        this.#sendOneAway();
        await delay(AGAIN_AFTER);
      }
    }
  }

  #serve(socket: Deno.Conn): void {
    const connection = new ControlConnection(socket, this.#always);
    const ended = connection.serve(this.#handler).finally(() => {
      this.#connections.delete(connection);
      this.#someoneLeft();
    });
    this.#connections.set(connection, ended);
  }

  async #makeRoom(): Promise<void> {
    this.#sendOneAway();
    await within(new Promise<void>((resolve) => this.#someoneLeft = resolve), GRACE);
  }

  /** The oldest of those who could have asked by now, if there are any. */
  #sendOneAway(): void {
    const [oldest] = this.#idle();
    if (oldest !== undefined && performance.now() - oldest.since >= GRACE) oldest.close();
  }

  /** Those whose request has not arrived. */
  #idle(): ControlConnection[] {
    return [...this.#connections.keys()].filter(({ hasAsked }) => !hasAsked);
  }

  async #allGone(limit: number): Promise<void> {
    await within(Promise.all(this.#connections.values()), limit);
  }
}
