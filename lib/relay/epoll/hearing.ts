/**
 * What the threads have to tell, passed on to who wants to know it of the relay.
 *
 * @module
 */

import { describeError, EADDRNOTAVAIL, EMFILE, ENFILE, ETIMEDOUT } from "../../linux/errno.ts";
import type { RelayEvents } from "../relay.ts";
import type { Upstream } from "../upstream.ts";
import { NO_ADDRESS } from "./connector.ts";
import type { Failures, Report } from "./messages.ts";
import type { TargetWriter } from "./upstream.ts";

/** Passes reports of threads on. */
export class Hearing {
  readonly #events: RelayEvents;
  readonly #upstream: Upstream;
  readonly #target: TargetWriter;

  constructor(events: RelayEvents, upstream: Upstream, target: TargetWriter) {
    this.#events = events;
    this.#upstream = upstream;
    this.#target = target;
  }

  /** Passes a report on. */
  hear(report: Report): void {
    const events = this.#events;
    const { name } = this.#upstream;
    // What was before comes first: who hears that none is active may want to know how they ended.
    for (const connection of report.opened ?? []) {
      events.opened?.({ ...connection, upstream: name });
    }
    for (const held of report.released ?? []) events.released(held);
    for (const failures of report.failures ?? []) {
      this.#upstream.refresh();
      const error = this.#describe(failures);
      for (let count = 0; count < failures.count; count++) events.connectFailed(name, error);
    }
    for (const { connection, reason } of report.closed ?? []) {
      events.closed?.({ ...connection, upstream: connection.upstream || name }, reason);
    }
    for (const failures of report.gaveUp ?? []) {
      const error = this.#describe(failures);
      for (let count = 0; count < failures.count; count++) events.gaveUp(name, error);
    }
    for (const { peer, why } of report.badHeaders ?? []) events.badHeader(peer, why);
    if (report.full !== undefined) events.full(report.full.active, lackOf(report.full.error));
    if (report.queueFilling) {
      events.queueFilling(report.queueFilling.queued, report.queueFilling.most);
    }
    if (report.noneActive) events.noneActive();
  }

  #describe({ error }: Failures): string {
    const { host, port } = this.#upstream.address;
    if (error === ETIMEDOUT) return `no answer from ${host} port ${port}`;
    if (error !== NO_ADDRESS) return describeError(error);
    return this.#target.unusable || this.#upstream.error;
  }
}

/** What the system has no more of, by the number of an error; `null` for none. */
function lackOf(error: number): string | null {
  switch (error) {
    case 0:
      return null;
    case EADDRNOTAVAIL:
      return "no local port is free for another (net.ipv4.ip_local_port_range)";
    case EMFILE:
      return "the process has no descriptor left (ulimit -n)";
    case ENFILE:
      return "the system has no descriptor left (fs.file-max)";
    default:
      return describeError(error);
  }
}
