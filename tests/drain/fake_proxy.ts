import { type Address, parseAddress } from "../../lib/address.ts";
import type { Clock } from "../../lib/clock.ts";
import { Drain } from "../../lib/drain.ts";
import { type DrainSnapshot, parseSnapshot } from "../../lib/drain/snapshot.ts";
import type { DrainEvent, DrainRequest } from "../../lib/drain/types.ts";
import { atOnce, type FakeClock, type FakeDisk, FakeRelay, type Perform } from "./fakes.ts";

/** The service that the tests' command lines name. */
export const COMMAND_UPSTREAM = "old.example:80";

/** What differs from one proxy to another. */
export interface FakeProxyOptions {
  readonly perform?: Perform;
  readonly closeLater?: boolean;
  readonly commandUpstream?: string;
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
    wait: true,
    attached: false,
    closeIdle: null,
    closeRemaining: false,
    ...changes,
  };
}
