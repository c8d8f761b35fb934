/**
 * One connection of the portable relay: two sockets and the bytes between them.
 *
 * One thing it cannot do: Deno 2.9.6 takes a peer that ended its direction without ever having sent
 * a byte for one that is gone, and fails what the kernel does not take at once with EPIPE
 * (libs/core/uv_compat/tcp.rs). Such a peer is reset if it reads too slowly: it sees that something
 * is missing.
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
  /** When silent peers are probed, in milliseconds; `null` is never. */
  readonly keepAlive: number | null;
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
  /** Ends the attempts to reach the service. */
  readonly #abort = new AbortController();
  readonly #context: ConnectionContext;
  readonly #peer: string;
  readonly #acceptedAt: number;
  #lastByteAt: number;
  #upstream: Socket | null = null;
  #upstreamName: string | null = null;
  #bytesUp = 0;
  #bytesDown = 0;
  /** When the first of the two directions ended. */
  #endedAt: number | null = null;
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
    // One that was reset while it was held need not trouble the service.
    if (wasReset(this.client)) return this.cut("client_reset");
    const { target, connectTimeout, connectFailed } = this.#context;
    const connected = await connect(target, connectTimeout, connectFailed, this.#abort.signal);
    if (this.#reason !== null) return connected === null ? undefined : reset(connected.socket);
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

  /** To be called now and then: cuts the connection if its time is over, or one side is gone. */
  check(): void {
    const { idleTimeout, halfCloseTimeout } = this.#context;
    if (wasReset(this.client)) return this.cut("client_reset");
    // Until then only the connect timeout counts.
    if (this.#upstream === null) return;
    if (wasReset(this.#upstream)) return this.cut("upstream_reset");
    const now = performance.now();
    const since = Math.max(this.#lastByteAt, this.#endedAt ?? Infinity);
    if (now - this.#lastByteAt >= (idleTimeout ?? Infinity)) this.cut("idle_timeout");
    else if (now - since >= (halfCloseTimeout ?? Infinity)) this.cut("half_close_timeout");
  }

  get #state(): ConnectionState {
    if (this.#upstream === null) return "connecting";
    return this.#endedAt === null ? "established" : "half-closed";
  }

  #join(upstream: Socket): void {
    const { client } = this;
    this.#upstream = upstream;
    const { keepAlive } = this.#context;
    if (keepAlive !== null) upstream.setKeepAlive(true, keepAlive);
    this.#openSockets++;
    this.#lastByteAt = performance.now();
    upstream.on("error", () => this.cut("upstream_reset"));
    upstream.on("close", () => this.#socketClosed());
    const { bytes } = this.#context;
    this.#carry(client, upstream, "upstream_reset", (count) => {
      this.#bytesUp += count;
      bytes.up += count;
    });
    this.#carry(upstream, client, "client_reset", (count) => {
      this.#bytesDown += count;
      bytes.down += count;
    });
    client.resume();
  }

  /** One direction. No more is read while what was read before cannot be written. */
  #carry(from: Socket, to: Socket, failure: CloseReason, moved: (count: number) => void): void {
    from.on("data", (chunk: Uint8Array) => {
      moved(chunk.length);
      this.#lastByteAt = performance.now();
      const written = (error?: Error | null) => {
        // Here and not only at "error": by then the socket has been closed as if in peace.
        if (error) this.cut(failure);
        else giveBack(chunk);
      };
      if (!to.write(chunk, written)) from.pause();
    });
    to.on("drain", () => {
      this.#lastByteAt = performance.now();
      from.resume();
    });
    from.on("end", () => {
      this.#endedAt ??= performance.now();
      to.end();
    });
  }

  #socketClosed(): void {
    if (--this.#openSockets > 0) return;
    this.#reason ??= "finished";
    this.#context.closed(this, this.#reason);
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

/**
 * Whether the peer has reset the connection while nobody was reading, so that no event told of it:
 * while the socket is paused, or after its end. The system then knows no peer any more.
 *
 * After our own end that proves nothing: then it may have ended in peace, with bytes left to read.
 */
function wasReset(socket: Socket): boolean {
  if (socket.destroyed || socket.writableEnded) return false;
  if (!socket.isPaused() && !socket.readableEnded) return false;
  // The public `remoteAddress` is remembered from when there was one.
  const { _handle: handle } = socket as { _handle?: { getpeername?(name: object): number } };
  return handle?.getpeername !== undefined && handle.getpeername({}) !== 0;
}

/**
 * Frees the memory of what has been written. Garbage collection would leave that until hundreds of
 * megabytes have passed.
 */
function giveBack(chunk: Uint8Array): void {
  const { buffer } = chunk;
  if (buffer instanceof ArrayBuffer && buffer.byteLength === chunk.byteLength) buffer.transfer(0);
}
