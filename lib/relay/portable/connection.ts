/**
 * One connection of the portable relay: a client that is held, or served.
 *
 * @module
 */

import type { Socket } from "node:net";
import { isOfNetwork } from "../../network.ts";
import { Conversation, NOBODY } from "../conversation.ts";
import { encodeHeader } from "../proxy_protocol.ts";
import type {
  CloseReason,
  Connection,
  ConnectionState,
  LettingGo,
  RelayOptions,
} from "../relay.ts";
import type { Upstream } from "../upstream.ts";
import { ClientHeader } from "./client_header.ts";
import { type AttemptFailed, connect, type Connected } from "./connect.ts";
import { Exchange } from "./exchange.ts";
import { Inbox } from "./inbox.ts";
import { endpointsOf, peerOf, reset, wasReset, watchPeer } from "./sockets.ts";

/** What a connection needs to know of its relay. */
export interface ConnectionContext {
  readonly options: RelayOptions;
  readonly upstream: Upstream;
  readonly connectFailed: AttemptFailed;
  readonly bytes: { up: number; down: number };
  /** Called when it has got a service. */
  readonly joined: (connection: PortableConnection) => void;
  /** Called when its service has said something for the first time. */
  readonly answered: (connection: PortableConnection) => void;
  /** Called when there is something to be served of a client that is held. */
  readonly woke: (connection: PortableConnection) => void;
  /** Called when the client is reset because of the header that it did not begin with. */
  readonly badHeader: (peer: string, why: string) => void;
  /** Called once, when both sockets are gone. */
  readonly closed: (connection: PortableConnection, reason: CloseReason) => void;
}

/** A client's connection. It waits until it is held, or served. */
export class PortableConnection {
  /** Ends the attempts to reach the service. */
  #abort = new AbortController();
  readonly #context: ConnectionContext;
  #peer: string;
  /** What it begins with; `null` if that is no header of the PROXY protocol. */
  readonly header: ClientHeader | null = null;
  readonly #client: Socket;
  readonly #clientSays: Inbox;
  readonly #acceptedAt: number;
  readonly #conversation = new Conversation();
  #lastByteAt: number;
  #heldSince: number | null = null;
  /** Since when somebody is to serve it. */
  #waitsSince: number | null;
  #wasServed = false;
  #upstream: Socket | null = null;
  #upstreamName: string | null = null;
  /** What it was connected for, `HOST:PORT`. */
  #target: string | null = null;
  #exchange: Exchange | null = null;
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
    client: Socket,
    acceptedAt: number,
    context: ConnectionContext,
  ) {
    this.#context = context;
    this.#acceptedAt = this.#lastByteAt = this.#waitsSince = acceptedAt;
    this.#client = client;
    this.#peer = peerOf(client);
    this.#clientSays = new Inbox(client, this.#heldHearer);
    client.on("error", () => this.#clientGone());
    client.on("close", () => this.#socketClosed());
    const { options: { acceptProxy, connectTimeout } } = context;
    if (!acceptProxy.some((network) => isOfNetwork(network, client.remoteAddress ?? ""))) return;
    this.header = new ClientHeader(this.#clientSays, connectTimeout, (why) => {
      context.badHeader(this.#peer, why);
      this.cut("bad_header");
    });
  }

  /** Connects to the service and carries bytes until both sides are done. */
  async serve(): Promise<void> {
    // One that was reset while it was held need not trouble the service.
    if (wasReset(this.#client)) return this.#clientGone();
    this.#heldSince = null;
    this.header?.hold();
    const { upstream, options: { connectTimeout }, connectFailed } = this.#context;
    const { signal } = this.#abort;
    const connected = await connect(upstream, connectTimeout, connectFailed, signal);
    if (signal.aborted) return connected === null ? undefined : reset(connected.socket);
    if (connected === null) return this.cut("upstream_unreachable");
    this.#join(connected);
  }

  /**
   * Holds it, if it is not connected yet: nothing that the client said has been passed on.
   *
   * @param since by `performance.now()`
   * @returns whether it is held
   */
  hold(since: number): boolean {
    if (this.#upstream !== null || this.isOver) return false;
    this.#abort.abort();
    this.#abort = new AbortController();
    this.#heldSince = since;
    this.#waitsSince = this.awaitsHeader ? null : since;
    this.#clientSays.keep();
    return true;
  }

  /** Says what of it need not be waited for, from now on. */
  letGo(lettingGo: LettingGo): void {
    this.#exchange?.letGo(lettingGo);
  }

  /** When it may have to be suspended, or be over, by `performance.now()`. */
  get dueAt(): number {
    return this.#exchange?.dueAt ?? Infinity;
  }

  /**
   * Suspends it, or ends it, if it is time.
   *
   * @param now a time by `performance.now()`; all that had come by then must have been read
   * @returns whether it is held from now on
   */
  settle(now: number): boolean {
    const outcome = this.isOver ? undefined : this.#exchange?.outcome(now);
    if (outcome === "finished") this.#end("finished");
    if (outcome !== "quiet") return false;
    const exchange = this.#exchange as Exchange;
    this.#wasServed ||= this.#conversation.turn !== NOBODY;
    this.#conversation.changeService();
    this.#upstream =
      this.#exchange =
      this.#target =
      this.#upstreamName =
        null;
    this.#heldSince = performance.now();
    this.#waitsSince = this.#isWanting ? this.#heldSince : null;
    this.#clientSays.hearer = this.#heldHearer;
    this.#openSockets--;
    exchange.leave();
    if (this.#clientSays.hasEnded) this.#stir();
    return true;
  }

  /** The connection as it is now. */
  snapshot(): Connection {
    const now = performance.now();
    return {
      id: this.id,
      peer: this.#peer,
      upstream: this.#upstreamName ?? this.#context.upstream.name,
      state: this.#state,
      age: now - this.#acceptedAt,
      idle: now - this.#lastByteAt,
      bytesUp: this.#bytesUp,
      bytesDown: this.#bytesDown,
      heldFor: this.#heldSince === null ? null : now - this.#heldSince,
      tied: this.#conversation.tied(this.#exchange?.quiet ?? Infinity),
    };
  }

  /** Whether it is held, and was served before. */
  get isSuspended(): boolean {
    return this.#heldSince !== null && this.#wasServed;
  }

  /** For how many milliseconds somebody was to serve it; 0 if nobody is. */
  waits(now: number): number {
    return this.#waitsSince === null ? 0 : now - this.#waitsSince;
  }

  /** Whether it wants to be served: as long as it is held, a suspended one has to say something. */
  get isWaiting(): boolean {
    return this.#waitsSince !== null;
  }

  /** Whether it is connected to the service, or was, for another address than that. */
  isElsewhere(target: string): boolean {
    return this.#target !== null && this.#target !== target;
  }

  /** Whether the header that it begins with is still to come: until then it is held. */
  get awaitsHeader(): boolean {
    return this.header?.isTaken === false;
  }

  /** Whether it is not connected to the service yet. */
  get isConnecting(): boolean {
    return this.#upstream === null && this.#heldSince === null && !this.isOver;
  }

  /** Whether it has come to its end, though its sockets may not be gone yet. */
  get isOver(): boolean {
    return this.#reason !== null;
  }

  /** Whether no byte had moved for so many milliseconds at a time by `performance.now()`. */
  isIdle(now: number, limit: number): boolean {
    return limit <= 0 || now - this.#lastByteAt >= limit && !this.#exchange?.keepsAnswer;
  }

  /** Ends the connection with a reset on both sides. */
  cut(reason: CloseReason): void {
    if (this.isOver) return;
    this.#reason = reason;
    this.#abort.abort();
    reset(this.#client);
    if (this.#upstream !== null) reset(this.#upstream);
  }

  /** Ends one that is held, in peace. */
  drop(reason: CloseReason): void {
    if (this.#heldSince !== null) this.#end(reason);
  }

  /** To be called now and then: ends the connection if one side is gone. */
  check(): void {
    if (wasReset(this.#client)) this.#clientGone();
    else if (this.#upstream !== null && wasReset(this.#upstream)) this.cut("upstream_reset");
  }

  /**
   * Which timeout is over, if one is.
   *
   * @param now a time by `performance.now()`
   */
  overdue(now: number): "idle_timeout" | "half_close_timeout" | null {
    const { idleTimeout, halfCloseTimeout } = this.#context.options;
    // Until then only the connect timeout counts.
    if (this.#upstream === null) return null;
    if (this.isIdle(now, idleTimeout ?? Infinity)) return "idle_timeout";
    const since = Math.max(this.#lastByteAt, this.#endedAt ?? Infinity);
    return now - since >= (halfCloseTimeout ?? Infinity) ? "half_close_timeout" : null;
  }

  get #state(): ConnectionState {
    if (this.#heldSince !== null) return this.isSuspended ? "suspended" : "queued";
    if (this.#exchange === null) return "connecting";
    if (this.#endedAt === null) return "established";
    return this.#exchange.hasServiceEnded ? "service-ended" : "client-ended";
  }

  /** Whether there is something to be served: whoever was never served may wait for a banner. */
  get #isWanting(): boolean {
    return !this.#wasServed || this.#clientSays.size > 0;
  }

  /** What is heard of it while it is held: nothing is passed on. */
  get #heldHearer() {
    return { said() {}, ended() {}, kept: () => this.#stir() };
  }

  /** A held client has said something, or has ended its direction. */
  #stir(): void {
    if (this.#heldSince === null) return;
    const { options: { abortOnClose }, woke } = this.#context;
    if (this.awaitsHeader && this.header?.take()) this.#peer = this.header.peer ?? this.#peer;
    if (this.isOver) return;
    // Whoever has said something may only be half-closed.
    if (this.#clientSays.hasEnded && (abortOnClose || this.#clientSays.size === 0)) {
      return this.drop("client_left");
    }
    if (this.isWaiting || this.awaitsHeader) return;
    this.#waitsSince = performance.now();
    woke(this);
  }

  #clientGone(): void {
    if (this.#heldSince === null) this.cut("client_reset");
    else this.drop("client_left");
  }

  #join({ socket, upstream: name, target }: Connected): void {
    this.#upstream = socket;
    this.#upstreamName = name;
    this.#target = target;
    const { bytes, options: { keepAlive, sendProxy }, joined, answered } = this.#context;
    watchPeer(socket, keepAlive);
    this.#lastByteAt = performance.now();
    // One that was let go has nothing more to say.
    const isServing = () => this.#upstream === socket;
    this.#openSockets++;
    socket.on("error", () => isServing() && this.cut("upstream_reset"));
    socket.on("close", () => isServing() && this.#socketClosed());
    if (sendProxy !== null) {
      const endpoints = this.header?.endpoints ?? endpointsOf(this.#client);
      socket.write(encodeHeader(sendProxy, endpoints));
    }
    let hasAnswered = false;
    this.#exchange = new Exchange(this.#client, this.#clientSays, socket, this.#conversation, {
      movedUp: (count) => {
        this.#bytesUp += count;
        bytes.up += count;
        this.#lastByteAt = performance.now();
      },
      movedDown: (count) => {
        this.#bytesDown += count;
        bytes.down += count;
        this.#lastByteAt = performance.now();
        if (!hasAnswered) answered(this);
        hasAnswered = true;
      },
      drained: () => this.#lastByteAt = performance.now(),
      ended: () => this.#endedAt ??= performance.now(),
      failed: (side) =>
        isServing() && this.cut(side === "client" ? "client_reset" : "upstream_reset"),
    });
    joined(this);
  }

  /** Closes both sockets in peace. */
  #end(reason: CloseReason): void {
    if (this.isOver) return;
    this.#reason = reason;
    this.#abort.abort();
    this.#client.destroy();
    this.#upstream?.destroy();
  }

  #socketClosed(): void {
    if (--this.#openSockets > 0) return;
    this.#reason ??= "finished";
    this.header?.hold();
    this.#context.closed(this, this.#reason);
  }
}
