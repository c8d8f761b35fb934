/**
 * A relay between clients and a service, for the length of a test.
 *
 * @module
 */

import type { Address } from "../../lib/address.ts";
import type {
  CloseReason,
  Connection,
  ListenAt,
  Relay,
  RelayEvents,
  RelayOptions,
} from "../../lib/relay/relay.ts";
import { Peer, Service } from "./peer.ts";
import { plainOptions } from "./plain.ts";
import { type Kind, RELAYS, type ThreadsFrom } from "./relays.ts";
import { eventually } from "./waiting.ts";

/** Remembers all that a relay tells. */
export class Recorder implements RelayEvents {
  /** How often it told that no connection is active any more. */
  calms = 0;
  readonly openings: Connection[] = [];
  readonly closings: { connection: Connection; reason: CloseReason }[] = [];
  readonly failures: { upstream: string; error: string }[] = [];
  readonly surrenders: { upstream: string; error: string }[] = [];
  readonly badHeaders: { peer: string; why: string }[] = [];
  readonly releases: number[] = [];
  readonly crowds: number[] = [];
  readonly lacks: string[] = [];
  readonly queues: { queued: number; most: number }[] = [];
  readonly breakages: Error[] = [];

  noneActive(): void {
    this.calms++;
  }
  opened(connection: Connection): void {
    this.openings.push(connection);
  }
  closed(connection: Connection, reason: CloseReason): void {
    this.closings.push({ connection, reason });
  }
  connectFailed(upstream: string, error: string): void {
    this.failures.push({ upstream, error });
  }
  gaveUp(upstream: string, error: string): void {
    this.surrenders.push({ upstream, error });
  }
  badHeader(peer: string, why: string): void {
    this.badHeaders.push({ peer, why });
  }
  released(held: number): void {
    this.releases.push(held);
  }
  full(active: number, lack: string | null): void {
    this.crowds.push(active);
    if (lack !== null) this.lacks.push(lack);
  }
  queueFilling(queued: number, most: number): void {
    this.queues.push({ queued, most });
  }
  broken(error: Error): void {
    this.breakages.push(error);
  }

  /** Why connections were closed, in order. */
  get reasons(): CloseReason[] {
    return this.closings.map(({ reason }) => reason);
  }
}

/** How a stage differs from the plain one. */
export interface StageOptions extends Partial<RelayOptions> {
  readonly listen?: ListenAt;
  /** Whether the relay holds at first. */
  readonly holding?: boolean;
}

/** A running relay and what is around it. Disposing of it checks that nothing stays behind. */
export class Stage implements AsyncDisposable {
  /** Where relays get their threads from; by default each starts its own. */
  static threadsFrom: ThreadsFrom | undefined;

  readonly events = new Recorder();
  readonly #clients: Peer[] = [];

  private constructor(readonly service: Service, public relay: Relay) {}

  /** Starts a service (unless there is an upstream) and a relay before it. */
  static async set(kind: Kind, options: StageOptions = {}): Promise<Stage> {
    const service = await Service.start();
    const stage = new Stage(service, undefined as unknown as Relay);
    const { listen = { host: "127.0.0.1", port: 0 }, holding = false, ...settings } = options;
    const plain = plainOptions(service.address);
    stage.relay = await RELAYS[kind](
      listen,
      { ...plain, ...settings },
      stage.events,
      Stage.threadsFrom,
    );
    if (!holding) await stage.relay.open();
    return stage;
  }

  /** A new client of the relay. */
  async client(address: Address = this.relay.listen): Promise<Peer> {
    const client = await Peer.connect(address);
    this.#clients.push(client);
    return client;
  }

  /** The active connections, oldest first. */
  connections(): Connection[] {
    return [...this.relay.connections()];
  }

  /** Those that are held and were accepted. */
  held(): Connection[] {
    return [...this.relay.held()];
  }

  /** A new client, and its connection as the service sees it. */
  async pair(): Promise<{ client: Peer; server: Peer }> {
    const client = await this.client();
    const server = await this.service.next();
    // The service may know that it is connected before the relay does.
    const isConnecting = ({ peer, state }: Connection) =>
      peer === client.name && state === "connecting";
    await eventually(() => ![...this.relay.connections()].some(isConnecting));
    return { client, server };
  }

  /** Waits until no connection is active, and the end of each has been told. */
  over(): Promise<void> {
    return eventually(() => {
      const { active, counters } = this.relay;
      const closed = Object.values(counters.closed).reduce((sum, count) => sum + count, 0);
      return active === 0 && this.events.closings.length === closed;
    }, "no active connection");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const client of this.#clients) client[Symbol.dispose]();
    await this.relay.shutDown();
    await this.over();
    await this.service[Symbol.asyncDispose]();
  }
}
