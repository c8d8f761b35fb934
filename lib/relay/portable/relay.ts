/**
 * The relay for every platform: `node:net`, in the main thread.
 *
 * While it holds it goes on accepting, but no upstream is opened, and what clients say is kept (see
 * inbox.ts). That makes hold exact for nothing, since all happens in one thread.
 *
 * @module
 */

import type { Socket } from "node:net";
import type { Address } from "../../address.ts";
import {
  type CloseReason,
  type Connection,
  type ConnectionOrder,
  type Counters,
  type LettingGo,
  type ListenAt,
  type Relay,
  type RelayEvents,
  type RelayOptions,
  type Released,
  WAIT_FOR_ALL,
} from "../relay.ts";
import { isItself, type Listening, whyItself, whyNoInterface } from "../unusable.ts";
import { probe } from "../probe.ts";
import { Upstream } from "../upstream.ts";
import { catchUp } from "./catching_up.ts";
import { type ConnectionContext, PortableConnection } from "./connection.ts";
import { DescriptorRoom } from "./descriptors.ts";
import { HeldClients } from "./held.ts";
import { inOrder } from "./in_order.ts";
import { LONGEST_BURST } from "./listener.ts";
import { Listeners } from "./listeners.ts";
import { Rounds } from "./rounds.ts";
import { reset } from "./sockets.ts";
import { Totals } from "./totals.ts";
import { Watch } from "./watch.ts";

/** A relay on `node:net`. */
export class PortableRelay implements Relay {
  readonly kind = "portable";
  readonly threads = 1;
  readonly queueLimit = null;
  readonly #events: RelayEvents;
  readonly #listeners: Listeners;
  readonly #context: ConnectionContext;
  readonly #room = new DescriptorRoom(LONGEST_BURST);
  readonly #maxConnections: number;
  readonly #connections = new Map<number, PortableConnection>();
  readonly #held: HeldClients;
  readonly #watch: Watch;
  readonly #totals: Totals;
  readonly #upstream: Upstream;
  #holding = true;
  /** How many clients were reset since it stops listening; `null` where that is not what it does. */
  #turnedAway: number | null = null;
  #listening = true;
  readonly #rounds: Rounds;
  #idleSince = performance.now();

  private constructor(options: RelayOptions, events: RelayEvents) {
    this.#events = events;
    this.#totals = new Totals(events);
    this.#listeners = new Listeners(
      options.keepAlive,
      (client) => this.#welcome(client),
      () => this.#hasRoom(),
    );
    this.#upstream = new Upstream(options.upstream, {
      isItself: (address) => this.listensAt.some((one) => isItself(address, one)),
    });
    this.#maxConnections = options.maxConnections ?? Infinity;
    this.#held = new HeldClients(options.maxConnecting, () => this.#serveHeld());
    this.#watch = new Watch({
      connections: () => this.#connections.values(),
      target: () => this.#upstream.name,
      catchUp: () => this.#catchUp(),
      suspended: (connection) => this.#suspended(connection),
    });
    this.#rounds = new Rounds(options, {
      active: () => this.#connections.values(),
      held: () => this.#held,
      catchUp: () => this.#catchUp(),
      done: () => {
        // In case descriptors had run out.
        this.#listeners.proceed();
        this.#planRound();
      },
    });
    this.#context = {
      options,
      upstream: this.#upstream,
      bytes: this.#totals.bytes,
      connectFailed: (target, error) => this.#totals.connectFailed(target, error),
      joined: (connection) => {
        this.#held.joined(connection);
        this.#watch.tell([connection]);
      },
      answered: (connection) => this.#held.arrived(connection),
      woke: (connection) => this.#woke(connection),
      badHeader: (peer, why) => events.badHeader(peer, why),
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
    await relay.#listeners.listen(at);
    relay.#planRound();
    return relay;
  }

  get listensAt(): Listening[] {
    return this.#listeners.at.map((address) => ({ ...address, bothFamilies: true }));
  }

  get listen(): Address {
    return this.listensAt[0] ?? { host: "", port: 0 };
  }

  get upstream(): Address {
    return this.#upstream.address;
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

  get queued(): number | null {
    return this.#listeners.isFull ? null : this.#held.count - this.#held.suspended;
  }

  get suspended(): number {
    return this.#held.suspended;
  }

  get longestHold(): number {
    return this.#held.longestHold;
  }

  get elsewhere(): number {
    return this.#watch.elsewhere.length;
  }

  get counters(): Counters {
    return this.#totals.counters;
  }

  async hold(lettingGo: LettingGo = WAIT_FOR_ALL): Promise<void> {
    this.#holding = true;
    // The service knows already of those that are connected, and whose event is still to come.
    if ([...this.#connections.values()].some(({ isConnecting }) => isConnecting)) {
      await this.#catchUp();
    }
    if (!this.#holding) return;
    this.#holdConnecting();
    this.#watch.hold(lettingGo);
  }

  #holdConnecting(): void {
    const since = performance.now();
    const connecting = [...this.#connections.values()].filter((one) => one.hold(since));
    for (const { id } of connecting) this.#connections.delete(id);
    this.#held.stop(connecting);
    if (connecting.length > 0 && this.active === 0) this.#noneActive();
  }

  async open(): Promise<Released> {
    await this.#upstream.settle();
    // Those who are gone are not to be served.
    if (this.#held.count > 0) await this.#catchUp();
    for (const connection of this.#held) connection.check();
    this.#holding = false;
    this.#watch.open();
    const released = this.#held.goOn();
    this.#serveHeld();
    return released;
  }

  retarget(upstream: Address, suspendQuiet: number | null = null): void {
    this.#upstream.address = upstream;
    this.#watch.retarget(suspendQuiet);
  }

  async whyUnusable(upstream: Address): Promise<string | null> {
    return whyNoInterface(upstream) ?? await whyItself(upstream, this.listensAt);
  }

  probe(timeout: number): Promise<boolean> {
    return probe(this.#upstream, timeout);
  }

  *connections(most = Infinity, order: ConnectionOrder = "age"): Generator<Connection> {
    for (const connection of inOrder(this.#connections.values(), most, order)) {
      if (this.#connections.has(connection.id)) yield connection.snapshot();
    }
  }

  *held(most = Infinity, order: ConnectionOrder = "age"): Generator<Connection> {
    for (const connection of inOrder(this.#held, most, order)) {
      if (this.#held.has(connection) && !connection.isOver) yield connection.snapshot();
    }
  }

  close(id: number, reason: CloseReason): boolean {
    const one = this.#connections.get(id) ?? [...this.#held].find((held) => held.id === id);
    one?.cut(reason);
    return one !== undefined;
  }

  async closeIdle(idle: number, reason: CloseReason): Promise<Connection[]> {
    const now = performance.now();
    if (idle > 0) await this.#catchUp();
    return [...this.#connections.values()].filter((one) => !one.isOver && one.isIdle(now, idle))
      .map((one) => [one.snapshot(), one.cut(reason)] as const).map(([was]) => was);
  }

  async stopListening(): Promise<number> {
    if (this.#holding) this.#turnedAway = this.#held.reset();
    else this.#held.dismiss();
    this.#listeners.proceed();
    await this.#listeners.settled();
    this.#close();
    return this.#turnedAway ?? 0;
  }

  shutDown(): Promise<void> {
    this.#holding = true;
    this.#turnedAway = this.#held.reset();
    this.#close();
    for (const connection of [...this.#connections.values()]) connection.cut("stopped");
    this.#watch.hold(WAIT_FOR_ALL);
    return Promise.resolve();
  }

  /** A connection's service was let go. */
  #suspended(connection: PortableConnection): void {
    this.#connections.delete(connection.id);
    this.#held.add(connection);
    if (this.active === 0) this.#noneActive();
    if (connection.isWaiting) this.#woke(connection);
    if (!this.#holding) this.#serveHeld();
  }

  /** There is something to be served of a client that is held. */
  #woke(connection: PortableConnection): void {
    if (this.#holding || !this.#held.has(connection)) return;
    this.#held.lineUp(connection);
    this.#serveHeld();
  }

  #welcome(client: Socket): void {
    const id = this.#totals.accepted();
    if (this.#turnedAway !== null) {
      this.#turnedAway++;
      return reset(client);
    }
    const now = performance.now();
    const connection = new PortableConnection(id, client, now, this.#context);
    const hasRoom = this.active < this.#maxConnections;
    const { header } = connection;
    // Who waits comes before newcomers.
    const mayCome = !this.#holding && hasRoom && !this.#held.hasLine;
    if (mayCome && header === null) return this.#serve(connection);
    connection.hold(now);
    this.#held.add(connection);
    if (this.#holding) return;
    if (header !== null) return header.expect(true);
    this.#held.lineUp(connection);
    if (!hasRoom) this.#totals.full(this.active);
  }

  #hasRoom(): boolean {
    if (this.#room.hasRoomBeside(this.#held.count + this.active)) return true;
    if (!this.#holding) this.#totals.full(this.active);
    return false;
  }

  #serve(connection: PortableConnection): void {
    this.#connections.set(connection.id, connection);
    if (this.active === 1) this.#planRound();
    this.#totals.active(connection);
    void connection.serve();
  }

  #serveHeld(): void {
    while (!this.#holding && this.active < this.#maxConnections) {
      const connection = this.#held.next();
      if (connection === undefined) return;
      const isNewcomer = connection.header?.isNewcomers;
      if (!isNewcomer) this.#events.released(connection.waits(performance.now()));
      this.#serve(connection);
    }
    if (this.#held.hasLine && !this.#holding) this.#totals.full(this.active);
  }

  #over(connection: PortableConnection, reason: CloseReason): void {
    const wasActive = this.#connections.delete(connection.id);
    this.#held.remove(connection);
    this.#totals.over(connection, reason);
    if (wasActive && this.active === 0) this.#noneActive();
    // Not at once: it would be told again with each connection that comes and goes.
    const most = Math.min(this.#maxConnections, this.#room.connections);
    if (this.active < 3 / 4 * most) this.#totals.hasRoom();
    this.#held.arrived(connection);
    if (!this.#holding) this.#serveHeld();
    this.#listeners.proceed();
    if (this.active === 0) this.#planRound();
  }

  #noneActive(): void {
    this.#idleSince = performance.now();
    this.#events.noneActive();
  }

  #catchUp(): Promise<void> {
    return catchUp(2 * this.active + this.#held.count);
  }

  #planRound(): void {
    const hasConnections = this.active > 0 || this.#held.count > 0;
    if (this.#listening || hasConnections) this.#rounds.plan(hasConnections);
    else this.#rounds.stop();
  }

  #close(): void {
    this.#listening = false;
    this.#listeners.close();
    this.#planRound();
  }
}
