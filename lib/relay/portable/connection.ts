/**
 * One connection of the portable relay: two sockets and the bytes between them.
 *
 * @module
 */

import type { Socket } from "node:net";
import { formatAddress, unmapped } from "../../address.ts";
import type { CloseReason, Connection, ConnectionState } from "../relay.ts";
import { type AttemptFailed, connect, type Target } from "./connect.ts";

/** What a connection needs to know of its relay. */
export interface ConnectionContext {
  readonly connectTimeout: number | null;
  readonly idleTimeout: number | null;
  readonly halfCloseTimeout: number | null;
  readonly target: () => Target;
  readonly connectFailed: AttemptFailed;
  readonly bytes: { up: number; down: number };
  /** Called once, when both sockets are gone. */
  readonly closed: (connection: PortableConnection, reason: CloseReason) => void;
}

/** An active connection. */
export class PortableConnection {
  /** Whether it still tries to reach the service when it is told to stop. */
  readonly #abort = new AbortController();
  readonly #context: ConnectionContext;
  readonly #peer: string;
  readonly #acceptedAt: number;
  #lastByteAt: number;
  #upstream: Socket | null = null;
  #upstreamName: string | null = null;
  #bytesUp = 0;
  #bytesDown = 0;
  #ended = 0;
  #halfCloseTimer: ReturnType<typeof setTimeout> | undefined;
  #idleTimer: ReturnType<typeof setTimeout> | undefined;
  #reason: CloseReason | null = null;
  #openSockets = 1;

  /**
   * @param client a paused socket
   * @param acceptedAt by `performance.now()`
   */
  constructor(
    readonly id: number,
    private readonly client: Socket,
    acceptedAt: number,
    context: ConnectionContext,
  ) {
    this.#context = context;
    this.#acceptedAt = acceptedAt;
    this.#lastByteAt = performance.now();
    this.#peer = peerOf(client);
    client.on("error", () => this.cut("client_reset"));
    client.on("close", () => this.#socketClosed());
  }

  /** Connects to the service and carries bytes until both sides are done. */
  async serve(): Promise<void> {
    const { target, connectTimeout, connectFailed } = this.#context;
    const connected = await connect(target, connectTimeout, connectFailed, this.#abort.signal);
    if (this.#reason !== null) {
      connected?.socket.destroy();
      return;
    }
    if (connected === null) return this.cut("upstream_unreachable");
    this.#upstreamName = connected.upstream;
    this.#join(connected.socket);
  }

  /** The connection as it is now. */
  snapshot(): Connection {
    const now = performance.now();
    return {
      id: this.id,
      peer: this.#peer,
      upstream: this.#upstreamName ?? formatAddress(this.#context.target().address),
      state: this.#state,
      age: now - this.#acceptedAt,
      idle: now - this.#lastByteAt,
      bytesUp: this.#bytesUp,
      bytesDown: this.#bytesDown,
    };
  }

  /** Ends the connection with a reset on both sides. */
  cut(reason: CloseReason): void {
    if (this.#reason !== null) return;
    this.#reason = reason;
    this.#abort.abort();
    reset(this.client);
    if (this.#upstream !== null) reset(this.#upstream);
  }

  get #state(): ConnectionState {
    if (this.#upstream === null) return "connecting";
    return this.#ended === 0 ? "established" : "half-closed";
  }

  #join(upstream: Socket): void {
    const { client } = this;
    this.#upstream = upstream;
    this.#openSockets++;
    this.#lastByteAt = performance.now();
    upstream.on("error", () => this.cut("upstream_reset"));
    upstream.on("close", () => this.#socketClosed());
    const { bytes } = this.#context;
    this.#carry(client, upstream, (count) => {
      this.#bytesUp += count;
      bytes.up += count;
    });
    this.#carry(upstream, client, (count) => {
      this.#bytesDown += count;
      bytes.down += count;
    });
    client.resume();
    this.#watchIdle();
  }

  /** One direction. No more is read while what was read before cannot be written. */
  #carry(from: Socket, to: Socket, moved: (count: number) => void): void {
    from.on("data", (chunk: Uint8Array) => {
      moved(chunk.length);
      this.#lastByteAt = performance.now();
      if (!to.write(chunk)) from.pause();
    });
    to.on("drain", () => {
      this.#lastByteAt = performance.now();
      from.resume();
    });
    from.on("end", () => {
      this.#ended++;
      to.end();
      this.#watchHalfClosed();
    });
  }

  #socketClosed(): void {
    if (--this.#openSockets > 0) return;
    clearTimeout(this.#idleTimer);
    clearTimeout(this.#halfCloseTimer);
    this.#reason ??= "finished";
    this.#context.closed(this, this.#reason);
  }

  #watchIdle(): void {
    const { idleTimeout } = this.#context;
    if (idleTimeout === null) return;
    this.#idleTimer = this.#whenIdleFor(idleTimeout, "idle_timeout", (timer) => {
      this.#idleTimer = timer;
    });
  }

  #watchHalfClosed(): void {
    const { halfCloseTimeout } = this.#context;
    if (halfCloseTimeout === null || this.#ended !== 1) return;
    this.#halfCloseTimer = this.#whenIdleFor(halfCloseTimeout, "half_close_timeout", (timer) => {
      this.#halfCloseTimer = timer;
    }, performance.now());
  }

  /** A timer that is set anew when it finds that bytes have moved, instead of at every byte. */
  #whenIdleFor(
    timeout: number,
    reason: CloseReason,
    again: (timer: ReturnType<typeof setTimeout>) => void,
    since = 0,
  ): ReturnType<typeof setTimeout> {
    const left = Math.max(this.#lastByteAt, since) + timeout - performance.now();
    return setTimeout(() => {
      const idle = performance.now() - Math.max(this.#lastByteAt, since);
      // Timers may fire a fraction of a millisecond early.
      if (idle >= timeout - 1) this.cut(reason);
      else again(this.#whenIdleFor(timeout, reason, again, since));
    }, Math.max(1, left));
  }
}

/** The peer of a socket as `HOST:PORT`. */
export function peerOf(socket: Socket): string {
  const { remoteAddress, remotePort } = socket;
  // A client that was reset while it was queued has no address any more.
  if (remoteAddress === undefined) return "unknown";
  return formatAddress({ host: unmapped(remoteAddress), port: remotePort ?? 0 });
}

/** Closes a socket so that its peer sees a reset, never a clean end. */
export function reset(socket: Socket): void {
  if (!socket.destroyed) socket.resetAndDestroy();
}
