import { type Address, formatAddress } from "../../address.ts";
import { NO_COUNTERS } from "../counters.ts";
import type { CloseReason, Counters, RelayEvents } from "../relay.ts";
import type { PortableConnection } from "./connection.ts";

/** Counts what happens, and tells of it. */
export class Totals {
  readonly bytes = { up: 0, down: 0 };
  readonly #events: RelayEvents;
  readonly #closed: Record<CloseReason, number> = { ...NO_COUNTERS.closed };
  readonly #told = new WeakSet<PortableConnection>();
  #accepted = 0;
  #connectFailures = 0;
  #lastError = "";
  #isFull = false;

  constructor(events: RelayEvents) {
    this.#events = events;
  }

  get counters(): Counters {
    return {
      accepted: this.#accepted,
      bytesUp: this.bytes.up,
      bytesDown: this.bytes.down,
      connectFailures: this.#connectFailures,
      closed: { ...this.#closed },
    };
  }

  /** A client was accepted. @returns its number */
  accepted(): number {
    return ++this.#accepted;
  }

  /** An attempt to connect has failed. */
  connectFailed(target: Address, error: string): void {
    this.#connectFailures++;
    this.#lastError = error;
    this.#events.connectFailed(formatAddress(target), error);
  }

  /** There is no room for another connection. */
  full(active: number): void {
    if (!this.#isFull) this.#events.full(active, null);
    this.#isFull = true;
  }

  /** There is room, and enough that it is told again when there is none. */
  hasRoom(): void {
    this.#isFull = false;
  }

  /** A connection is active, if not for the first time. */
  active(connection: PortableConnection): void {
    if (this.#told.has(connection)) return;
    this.#told.add(connection);
    this.#events.opened?.(connection.snapshot());
  }

  /** A connection is over. */
  over(connection: PortableConnection, reason: CloseReason): void {
    // Nobody knew of those who only waited.
    if (reason === "stopped" && !this.#told.has(connection)) return;
    this.#closed[reason]++;
    const last = connection.snapshot();
    this.#events.closed?.(last, reason);
    if (reason === "upstream_unreachable") this.#events.gaveUp(last.upstream, this.#lastError);
  }
}
