import { type Address, parseAddress } from "../../lib/address.ts";
import type { Clock } from "../../lib/clock.ts";
import { Drain } from "../../lib/drain/drain.ts";
import { type DrainSnapshot, parseSnapshot } from "../../lib/drain/snapshot.ts";
import type { DrainRequest } from "../../lib/drain/request.ts";
import type { DrainEvent } from "../../lib/drain/types.ts";
import { atOnce, FakeClock, FakeDisk, FakeRelay, type Perform } from "./fakes.ts";

/** The service that the tests' command lines name. */
export const COMMAND_UPSTREAM = "old.example:80";

/** What differs from one proxy to another. */
export interface FakeProxyOptions {
  readonly perform?: Perform;
  readonly closeLater?: boolean;
  readonly commandUpstream?: string;
  readonly suspendQuiet?: number | null;
  readonly report?: (event: DrainEvent) => void;
}

/** A process as far as a drain matters: a drain with its relay, and a disk that outlives both. */
export class FakeProxy<C extends Clock = FakeClock> {
  readonly relay: FakeRelay;
  readonly drain: Drain;
  /** All that was reported. */
  readonly events: DrainEvent[] = [];
  readonly #disk: FakeDisk;

  constructor(readonly clock: C, disk: FakeDisk, options: FakeProxyOptions = {}) {
    const perform = options.perform ?? atOnce;
    const upstream: Address = parseAddress(options.commandUpstream ?? COMMAND_UPSTREAM);
    this.#disk = disk;
    this.relay = new FakeRelay(clock, perform, upstream, options.closeLater);
    this.drain = new Drain({
      relay: this.relay,
      clock,
      store: disk.store(perform),
      commandUpstream: upstream,
      suspendQuiet: options.suspendQuiet ?? null,
      report: (event) => {
        this.events.push(event);
        options.report?.(event);
      },
    });
    this.relay.noneActive = () => this.drain.noneActive();
  }

  start(startDrained = false): Promise<void> {
    return this.drain.start(this.#disk.record, startDrained);
  }

  /** Starts as the one that takes over, once this has what the other one is made of. */
  takeOver(other: FakeProxy<C>, snapshot: DrainSnapshot): Promise<void> {
    other.relay.moveTo(this.relay);
    // As it comes from another process.
    return this.drain.takeOver(parseSnapshot(JSON.parse(JSON.stringify(snapshot))));
  }

  /** What was reported of one type. */
  reported<Type extends DrainEvent["type"]>(type: Type): (DrainEvent & { type: Type })[] {
    return this.events.filter((event): event is DrainEvent & { type: Type } => event.type === type);
  }
}

/** A request as `proxyctl drain --owner ann` makes it, with what is to be different. */
export function request(changes: Partial<DrainRequest> = {}): DrainRequest {
  return {
    owner: "ann",
    reason: null,
    timeout: 60_000,
    lease: 3_600_000,
    exclusive: false,
    takeOver: false,
    wait: true,
    attached: false,
    closeIdle: null,
    closeRemaining: false,
    release: false,
    ...changes,
  };
}

/** An open proxy with so many connections. */
export async function openProxy(connections: number, options: FakeProxyOptions = {}) {
  const clock = new FakeClock();
  const disk = new FakeDisk();
  const proxy = new FakeProxy(clock, disk, options);
  await proxy.start();
  for (let count = 0; count < connections; count++) proxy.relay.arrive();
  return { clock, disk, proxy, drain: proxy.drain, relay: proxy.relay };
}

/** Another process, to which everything has moved from the first. */
export async function moved(from: FakeProxy, disk: FakeDisk, options: FakeProxyOptions = {}) {
  const snapshot = await from.drain.freeze();
  from.drain.moved();
  const proxy = new FakeProxy(new FakeClock(1, from.clock.wall()), disk, options);
  await proxy.takeOver(from, snapshot);
  return proxy;
}
