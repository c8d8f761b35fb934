/**
 * The states of a drain, and what leads from one to the other. It does no I/O itself, and gets its
 * clock, its relay and the keeper of its record handed in.
 *
 * ```
 *           drain                        nothing active
 *   open ──────────▶ draining ──────────────────────▶ drained
 *    ▲                  │ resume · deadline · cancelled   │ resume · lease expired
 *    └──────────────────┴─────────────────────────────────┘
 * ```
 *
 * What must hold, always: the record is written before the relay holds, and removed before the
 * relay opens; nobody is told "drained" before the record says so; one drain, one owner.
 *
 * @module
 */

import { type Address, formatAddress, parseAddress } from "../address.ts";
import type { Clock } from "../clock.ts";
import type { Duration } from "../duration.ts";
import type { Released } from "../relay/relay.ts";
import { Away } from "./away.ts";
import { activeOf } from "./blockers.ts";
import { begin, type Current, drained, join } from "./current.ts";
import { untilDue } from "./due.ts";
import { History, nameMore } from "./history.ts";
import * as messages from "./messages.ts";
import type { OutcomeName } from "./outcomes.ts";
import type { DrainRecord, RecordStore } from "./record.ts";
import { Recorder } from "./recorder.ts";
import { recordOf } from "./recording.ts";
import type { DrainRequest } from "./request.ts";
import { isPast } from "./times.ts";
import {
  type DrainableRelay,
  type DrainEvent,
  DrainRefused,
  type EndCause,
  type Outcome,
} from "./types.ts";
import type { Waiter } from "./waiter.ts";

/** What a drain is made of. */
export interface DrainParts {
  readonly relay: DrainableRelay;
  readonly clock: Clock;
  readonly store: RecordStore;
  /** The service on the command line. */
  readonly commandUpstream: Address;
  /** What a drain, or a retarget, lets go of that asks for nothing else. */
  readonly suspendQuiet: Duration;
  readonly report: (event: DrainEvent) => void;
  /** Of the drains before; if it is not given, none are known, and it is not kept. */
  readonly history?: History;
}

/** How a drain turned out that ended for this cause. */
const OUTCOME_OF = {
  resumed: "ended",
  forced: "ended",
  deadline: "deadline",
  cancelled: "cancelled",
  lease: "ended",
  record: "refused",
} as const satisfies Record<EndCause, OutcomeName>;

/**
 * The machine. Its commands must see to it that one is over before the next begins, and that what is
 * due by then has been done ({@linkcode advance}).
 */
export abstract class Machine {
  protected readonly relay: DrainableRelay;
  protected readonly clock: Clock;
  protected readonly recorder: Recorder;
  protected readonly report: (event: DrainEvent) => void;
  protected readonly commandUpstream: string;
  /** The drains that were. */
  readonly history: History;
  protected readonly suspendQuiet: Duration;
  /** The same for connections to any other service than the upstream of now. */
  protected suspendElsewhere: Duration = null;
  /** How often it was retargeted: who waits for a retarget learns that another came. */
  retargets = 0;
  /** `null` while open. */
  protected current: Current | null = null;
  /** Whether its process, or its part in it, has ended. */
  protected stopped = false;
  /** Whether it goes on in another process. */
  protected hasMoved = false;
  /** While parked: has the listening socket given back. */
  protected takeBack: (() => Promise<void>) | null = null;
  /** Those who are to come back from another process. */
  protected away: Away;

  constructor(parts: DrainParts) {
    this.relay = parts.relay;
    this.clock = parts.clock;
    this.recorder = new Recorder(parts.store, parts.report);
    this.report = parts.report;
    this.commandUpstream = formatAddress(parts.commandUpstream);
    this.history = parts.history ?? new History(parts.clock);
    this.suspendQuiet = parts.suspendQuiet;
    this.away = new Away([], parts.clock);
  }

  /** Does what is due: cuts, becomes drained, fails by the deadline, ends with the lease. */
  protected async advance(): Promise<void> {
    if (this.stopped || this.takeBack !== null) return;
    for (const waiter of this.away.takeOverdue()) await this.lose(waiter);
    const current = this.current;
    if (current === null) return;
    if (current.state === "drained") {
      if (isPast(current.leaseEnds, this.clock)) await this.end(current, "lease", null);
      return;
    }
    const isReleased = [...current.waiters].every(({ releases }) => !releases);
    const isOver = isPast(current.deadline, this.clock);
    if (isReleased || !isOver) await this.#cut(current);
    if (this.relay.active === 0 && isReleased) return await this.#becomeDrained(current);
    if (isOver && !(current.closeRemaining && isReleased)) {
      await this.end(current, "deadline", null);
    }
  }

  /** Closes the connections that the drain was asked to close, as far as that is due. */
  async #cut(current: Current): Promise<void> {
    const all = current.closeRemaining && isPast(current.deadline, this.clock);
    const idle = all ? 0 : current.closeIdle;
    if (idle === null) return;
    const cut = await this.relay.closeIdle(idle, "drain");
    for (const { id } of cut) current.cut.add(id);
    nameMore(current.cutNames, cut);
  }

  /**
   * Why a drain would be refused right now.
   *
   * @returns `null` if it would not be
   */
  refusal(
    request: Pick<DrainRequest, "owner" | "exclusive" | "takeOver">,
  ): DrainRefused | null {
    const current = this.current;
    if (current === null || current.owner === null) return null;
    if (current.owner !== request.owner) {
      return new DrainRefused("held_by_another", messages.heldBy(current, this.clock));
    }
    const alone = request.exclusive && !request.takeOver;
    if (!current.exclusive && !alone) return null;
    return new DrainRefused("held_by_another", messages.heldByYourself(current, this.clock));
  }

  /** Open → draining. @throws {DrainRefused} when it cannot be recorded; then nothing changed */
  protected async enter(request: DrainRequest): Promise<Current> {
    const current = begin(request, this.suspendQuiet, this.clock);
    try {
      await this.recorder.write(this.record(current));
      await this.relay.hold(current.lettingGo);
    } catch (error) {
      // Either may have failed half done.
      await this.recorder.tryToRemove();
      if (!(error instanceof DrainRefused)) await this.relay.open();
      throw error;
    }
    this.current = current;
    this.report({ type: "draining", ...this.#who(current), joined: false });
    return current;
  }

  /** The owner drains again. @throws {DrainRefused} when it is not the owner, or may not */
  protected async join(current: Current, request: DrainRequest): Promise<Current> {
    if (this.refusal(request) !== null) throw await this.#refuse(current, request);
    const joined = join(current, request, this.clock);
    await this.recorder.write(this.record(joined));
    if (joined.state === "draining") await this.relay.hold(joined.lettingGo);
    this.current = joined;
    this.report({ type: "draining", ...this.#who(joined), joined: true });
    return joined;
  }

  /** Remembers the refusal, if it is one that absorbs a resume. */
  async #refuse(current: Current, request: DrainRequest): Promise<DrainRefused | null> {
    this.report({ type: "refused", owner: request.owner, holder: current.owner });
    // Who would take a drain over runs something, and resumes nothing that was refused.
    if (!request.takeOver && (request.exclusive || current.owner === request.owner)) {
      current.refusals.add(request.owner, this.clock.now());
      await this.recorder.tryToWrite(this.record(current));
    }
    return this.refusal(request);
  }

  /** Draining → drained. */
  async #becomeDrained(draining: Current): Promise<void> {
    const current = drained(draining, this.clock);
    try {
      await this.recorder.write(this.record(current));
    } catch {
      // The record still says "draining": after a crash the upgrade would run with the proxy open.
      await this.end(draining, "record", null);
      return;
    }
    this.current = current;
    const message = messages.drainedAfter(
      this.clock.now() - current.started,
      current.cut.size,
    );
    const outcome = this.outcome("drained", current, message);
    this.report({ type: "drained", ...this.#who(current), leaseEnds: current.leaseEnds });
    this.decide(current, outcome);
    for (const waiter of current.waiters) waiter.settle(outcome);
  }

  /** Draining or drained → open. Tells everybody why. */
  protected async end(current: Current, cause: EndCause, by: string | null): Promise<Released> {
    const message = messages.endedBy(cause, current, by);
    const outcome = this.outcome(OUTCOME_OF[cause], current, message);
    // Before anything else: until then somebody else may own it all in a moment.
    await this.takeBack?.();
    await this.recorder.tryToRemove();
    // Before the relay opens: nobody may hear "drained" while somebody is served.
    this.current = null;
    let released: Released;
    try {
      released = await this.relay.open();
    } catch (error) {
      this.current = current;
      // Without it, a start after a crash would open as well.
      await this.recorder.tryToWrite(this.record(current));
      throw error;
    }
    const { owner, state: from } = current;
    const cut = { cut: outcome.cut, cutNames: current.cutNames };
    const inTheWay = from === "draining" ? outcome.blockers : [];
    const active = inTheWay.length === 0 ? 0 : outcome.active;
    this.report({ type: "resumed", cause, from, owner, by, active, inTheWay, ...cut, ...released });
    if (from === "draining") this.decide(current, outcome);
    this.history.ended(current, cause, released);
    for (const waiter of current.waiters) waiter.end(outcome);
    return released;
  }

  /** A drain is decided: drained, or failed in any way. */
  protected decide(current: Current, outcome: Outcome): void {
    this.report({ type: "over", ...outcome });
    this.history.decided(current, outcome);
  }

  /** Somebody who waited has been told. From now on the drain does not depend on who waits. */
  protected dismiss(waiter: Waiter): void {
    const current = this.current;
    if (!current?.waiters.delete(waiter) || current.state !== "drained") return;
    this.current = { ...current, detached: true };
  }

  /** Somebody who waited is gone, without having been told. */
  protected async lose(waiter: Waiter): Promise<void> {
    const current = this.current;
    if (!current?.waiters.delete(waiter)) return;
    waiter.end(this.outcome("cancelled", current, "Went away before the drain was over"));
    const wanted = current.detached || current.waiters.size > 0;
    // One that stays drained is not exclusive any more, and nobody is attached to it.
    const isTied = waiter.attached && current.exclusive;
    if (this.stopped || wanted && !isTied) return;
    await this.end(current, "cancelled", null);
  }

  /** The service lets its clients go: what is left at the deadline is cut, since it ends with it. */
  protected release(owner: string): Current {
    const current = this.current;
    if (current === null) throw new DrainRefused("not_draining", messages.NOT_DRAINING);
    this.refuseResume(current, owner, false);
    for (const waiter of current.waiters) waiter.releases = false;
    this.current = { ...current, closeRemaining: true };
    return this.current;
  }

  /** Has it stay drained, whoever leaves. @throws {DrainRefused} when nothing has changed */
  protected async leaveDrained(owner: string): Promise<Current> {
    this.refuseIfStopped();
    const current = this.current;
    if (current?.state !== "drained") {
      throw new DrainRefused("not_drained", messages.notDrained(current?.state ?? "open"));
    }
    this.refuseResume(current, owner, false);
    const staying = { ...current, exclusive: false, detached: true };
    await this.recorder.write(this.record(staying));
    this.current = staying;
    return staying;
  }

  /** @throws {DrainRefused} when somebody may not end the drain */
  protected refuseResume(current: Current, owner: string, force: boolean): void {
    if (force || current.owner === null || current.owner === owner) return;
    throw new DrainRefused("held_by_another", messages.heldBy(current, this.clock));
  }

  /** @throws {DrainRefused} when there is nothing to be asked for any more */
  protected refuseIfStopped(): void {
    if (this.hasMoved) throw new DrainRefused("moved", messages.MOVED);
    if (this.stopped) throw new DrainRefused("stopping", "The proxy is stopping");
  }

  /** An upstream that was set at run time counts as long as the command line names the same. */
  protected restoreUpstream(found: Pick<DrainRecord, "upstream" | "commandUpstream">): void {
    if (found.upstream === null || found.commandUpstream !== this.commandUpstream) return;
    this.relay.retarget(parseAddress(found.upstream));
    this.reportRetarget(found.upstream, true);
  }

  protected reportRetarget(upstream: string, restored: boolean): void {
    this.report({ type: "retargeted", upstream, commandUpstream: this.commandUpstream, restored });
  }

  /** What is recorded of a drain. */
  protected record(current: Current, upstream: Address = this.relay.upstream): DrainRecord {
    return recordOf(current, this.clock, this.commandUpstream, upstream);
  }

  #who(current: Current) {
    return {
      owner: current.owner,
      reason: current.reason,
      active: this.relay.active,
      waited: this.clock.now() - current.started,
      cut: current.cut.size,
      cutNames: current.cutNames,
    };
  }

  /** What those who wait for a drain are told. */
  protected outcome(outcome: OutcomeName, current: Current, message: string): Outcome {
    return {
      outcome,
      message,
      waited: this.clock.now() - current.started,
      cut: current.cut.size,
      // When it moves, they are no longer this relay's.
      ...(outcome === "drained" || outcome === "moved"
        ? { active: 0, blockers: [] }
        : { active: this.relay.active, blockers: activeOf(this.relay) }),
    };
  }

  /** In how many milliseconds something will be due; `Infinity` if nothing is to come. */
  protected untilDue(): number {
    if (this.stopped || this.takeBack !== null) return Infinity;
    const due = this.current && untilDue(this.current, this.clock);
    return Math.min(due ?? Infinity, this.away.left ?? Infinity);
  }
}
