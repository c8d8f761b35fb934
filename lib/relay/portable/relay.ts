/**
 * The relay for every platform: `node:net`, in the main thread.
 *
 * While it holds it goes on accepting, but leaves the sockets alone: no byte is read and no upstream
 * is opened. That makes hold exact for nothing, since all happens in one thread.
 *
 * @module
 */

import type { Socket } from "node:net";
import { type Address, formatAddress } from "../../address.ts";
import { Capacity } from "../descriptors.ts";
import {
  CLOSE_REASONS,
  type CloseReason,
  type Connection,
  type Counters,
  type ListenAt,
  type Relay,
  type RelayEvents,
  type RelayOptions,
  type Released,
} from "../relay.ts";
import { Resolver } from "../resolver.ts";
import type { Target } from "./connect.ts";
import { type ConnectionContext, PortableConnection, reset } from "./connection.ts";
import { Listener, LONGEST_BURST } from "./listener.ts";

/** How often the connections are looked after, in milliseconds. */
const ROUND = 1000;

/** How often it is tried to accept though nobody asked, in case descriptors had run out. */
const IDLE_ROUND = 10_000;

interface Held {
  readonly client: Socket;
  readonly since: number;
}

/** A relay on `node:net`. */
export class PortableRelay implements Relay {
  readonly kind = "portable";
  readonly threads = 1;
  readonly #events: RelayEvents;
  readonly #listener: Listener;
  readonly #context: ConnectionContext;
  readonly #capacity = new Capacity(LONGEST_BURST);
  readonly #maxConnections: number;
  readonly #connections = new Map<number, PortableConnection>();
  readonly #held: Held[] = [];
  readonly #bytes = { up: 0, down: 0 };
  readonly #closed = Object.fromEntries(CLOSE_REASONS.map((reason) => [reason, 0])) as Record<
    CloseReason,
    number
  >;
  #listen: Address = { host: "", port: 0 };
  #target: Target & { readonly replace: () => void };
  #holding = true;
  #full = false;
  /** How many clients were reset since it stops listening; `null` where that is not what it does. */
  #turnedAway: number | null = null;
  #listening = true;
  readonly #round: number;
  #nextRound: ReturnType<typeof setTimeout> | undefined;
  #idleSince = performance.now();
  #accepted = 0;
  #lastId = 0;
  #connectFailures = 0;
  #lastError = "";

  private constructor(options: RelayOptions, events: RelayEvents) {
    this.#events = events;
    this.#target = targetOf(options.upstream);
    this.#maxConnections = options.maxConnections ?? Infinity;
    // Several times in the shortest of the timeouts, so that none is exceeded by much.
    const { idleTimeout, halfCloseTimeout } = options;
    const shortest = Math.min(idleTimeout ?? Infinity, halfCloseTimeout ?? Infinity);
    this.#round = Math.min(ROUND, 10 + shortest / 8);
    this.#listener = new Listener(
      options.keepAlive,
      (client) => this.#welcome(client),
      () => this.#hasRoom(),
    );
    this.#context = {
      connectTimeout: options.connectTimeout,
      keepAlive: options.keepAlive,
      idleTimeout: options.idleTimeout,
      halfCloseTimeout: options.halfCloseTimeout,
      target: () => this.#target,
      bytes: this.#bytes,
      connectFailed: (target, error) => {
        this.#connectFailures++;
        this.#lastError = error;
        events.connectFailed(formatAddress(target), error);
      },
      closed: (connection, reason) => this.#over(connection, reason),
    };
  }

  /**
   * Starts to listen; nobody is served until {@linkcode open}.
   *
   * @throws when the address cannot be had
   */
  static async listen(
    at: ListenAt,
    options: RelayOptions,
    events: RelayEvents,
  ): Promise<PortableRelay> {
    const relay = new PortableRelay(options, events);
    relay.#listen = await relay.#listener.listen(at);
    relay.#planRound();
    return relay;
  }

  get listen(): Address {
    return this.#listen;
  }

  get upstream(): Address {
    return this.#target.address;
  }

  get maxConnections(): number | null {
    return Number.isFinite(this.#maxConnections) ? this.#maxConnections : null;
  }

  get active(): number {
    return this.#connections.size;
  }

  get idleFor(): number {
    return this.active > 0 ? 0 : performance.now() - this.#idleSince;
  }

  get queued(): number {
    return this.#held.length;
  }

  get counters(): Counters {
    return {
      accepted: this.#accepted,
      bytesUp: this.#bytes.up,
      bytesDown: this.#bytes.down,
      connectFailures: this.#connectFailures,
      closed: { ...this.#closed },
    };
  }

  hold(): Promise<void> {
    this.#holding = true;
    return Promise.resolve();
  }

  open(): Promise<Released> {
    this.#holding = false;
    this.#target.resolver.forget();
    const [first] = this.#held;
    const held = this.#held.length;
    const longest = first === undefined ? 0 : performance.now() - first.since;
    this.#serveHeld();
    return Promise.resolve({ held, longest });
  }

  retarget(upstream: Address): void {
    const before = this.#target;
    this.#target = targetOf(upstream);
    before.replace();
  }

  connections(): Connection[] {
    return [...this.#connections.values()].map((connection) => connection.snapshot());
  }

  close(id: number, reason: CloseReason): boolean {
    const connection = this.#connections.get(id);
    connection?.cut(reason);
    return connection !== undefined;
  }

  async stopListening(): Promise<number> {
    if (this.#holding) this.#turnedAway = this.#resetHeld();
    this.#listener.proceed();
    await this.#listener.settled();
    this.#close();
    return this.#turnedAway ?? 0;
  }

  shutDown(): Promise<void> {
    this.#holding = true;
    this.#turnedAway = this.#resetHeld();
    this.#close();
    for (const connection of this.#connections.values()) connection.cut("stopped");
    return Promise.resolve();
  }

  #welcome(client: Socket): void {
    this.#accepted++;
    if (this.#turnedAway !== null) {
      this.#turnedAway++;
      return reset(client);
    }
    const held = { client, since: performance.now() };
    if (this.#holding || this.active >= this.#maxConnections) {
      // Once nobody listens to it, an error would end the process.
      client.on("error", ignore);
      this.#held.push(held);
      if (!this.#holding) this.#tellFull();
    } else {
      this.#serve(held);
    }
  }

  #hasRoom(): boolean {
    if (this.#capacity.hasRoomBeside(this.#held.length + this.active)) return true;
    if (!this.#holding) this.#tellFull();
    return false;
  }

  #serve({ client, since }: Held): void {
    const connection = new PortableConnection(++this.#lastId, client, since, this.#context);
    this.#connections.set(connection.id, connection);
    if (this.active === 1) this.#planRound();
    this.#events.opened?.(connection.snapshot());
    void connection.serve();
  }

  #serveHeld(): void {
    while (!this.#holding && this.active < this.#maxConnections) {
      const held = this.#held.shift();
      if (held === undefined) return;
      this.#events.released(performance.now() - held.since);
      this.#serve(held);
    }
    if (this.#held.length > 0 && !this.#holding) this.#tellFull();
  }

  #over(connection: PortableConnection, reason: CloseReason): void {
    this.#closed[reason]++;
    const last = connection.snapshot();
    this.#connections.delete(connection.id);
    this.#events.closed?.(last, reason);
    if (reason === "upstream_unreachable") this.#events.gaveUp(last.upstream, this.#lastError);
    if (this.active === 0) {
      this.#idleSince = performance.now();
      this.#events.noneActive();
    }
    // Not at once: it would be told again with each connection that comes and goes.
    const most = Math.min(this.#maxConnections, this.#capacity.connections);
    if (this.active < 3 / 4 * most) this.#full = false;
    if (!this.#holding) this.#serveHeld();
    this.#listener.proceed();
    if (this.active === 0) this.#planRound();
  }

  #lookAfter(): void {
    for (const connection of this.#connections.values()) connection.check();
    this.#listener.proceed();
    this.#planRound();
  }

  /** Nothing to look after, next to nothing to do: an idle relay is quiet. */
  #planRound(): void {
    clearTimeout(this.#nextRound);
    if (!this.#listening && this.active === 0 && this.#held.length === 0) return;
    const delay = this.active > 0 ? this.#round : IDLE_ROUND;
    this.#nextRound = setTimeout(() => this.#lookAfter(), delay);
  }

  #close(): void {
    this.#listening = false;
    this.#listener.close();
    this.#planRound();
  }

  #resetHeld(): number {
    const held = this.#held.splice(0);
    for (const { client } of held) reset(client);
    return held.length;
  }

  #tellFull(): void {
    if (!this.#full) this.#events.full(this.active);
    this.#full = true;
  }
}

function targetOf(address: Address): Target & { readonly replace: () => void } {
  const controller = new AbortController();
  const replace = () => controller.abort();
  return { address, resolver: new Resolver(address.host), replaced: controller.signal, replace };
}

function ignore(): void {}
