/**
 * How a drain begins, and goes on from one process to the next.
 *
 * @module
 */

import { formatAddress } from "../address.ts";
import { Away } from "./away.ts";
import { startDrained } from "./current.ts";
import { type DrainParts, Machine } from "./machine.ts";
import * as messages from "./messages.ts";
import { packDrain, packWaiters, unpackDrain, unpackWaiter } from "./moving.ts";
import type { DrainRecord } from "./record.ts";
import { restore } from "./recording.ts";
import type { DrainSnapshot } from "./snapshot.ts";
import { Turns } from "./turns.ts";
import { DrainRefused } from "./types.ts";
import type { Waiter, WaiterEvents } from "./waiter.ts";

/** A drain that can move to another process, and takes up what was left by the one before. */
export abstract class Movable extends Machine {
  protected readonly turns: Turns;
  protected readonly waiterEvents: WaiterEvents = {
    left: (waiter) =>
      this.turns.takeUnattended(async () => {
        await this.lose(waiter);
        // It may have been all that was waited for.
        await this.advance();
      }),
    told: (waiter) => this.turns.takeUnattended(() => Promise.resolve(this.dismiss(waiter))),
  };

  constructor(parts: DrainParts) {
    super(parts);
    this.turns = new Turns({
      clock: parts.clock,
      advance: () => this.advance(),
      untilDue: () => this.untilDue(),
    });
  }

  /**
   * Begins, with the relay still holding: goes back to what the record of an earlier process says,
   * or opens.
   *
   * @param found the record; `null` if there is none (or none that could be read)
   * @param drainAnyway whether to be drained whatever the record says
   */
  start(found: DrainRecord | null, drainAnyway: boolean): Promise<void> {
    return this.turns.take(async () => {
      if (found) this.restoreUpstream(found);
      const restored = found && restore(found, this.clock);
      if (found && !restored) {
        const expired = found.state === "drained" || found.detached;
        this.report({ type: "abandoned", owner: found.owner, expired });
        this.history.abandoned({ ...found, since: Date.parse(found.since) }, expired);
      }
      const current = restored ?? (drainAnyway ? startDrained(this.clock) : null);
      if (current !== null) {
        await this.recorder.tryToWrite(this.record(current));
        this.current = current;
        this.report({
          type: "restored",
          owner: current.owner,
          leaseEnds: current.leaseEnds,
        });
      } else {
        if (found) await this.recorder.tryToRemove();
        await this.relay.open();
      }
    });
  }

  /**
   * Begins instead, with the relay holding and its connections in it: goes on where another process
   * was. Its waiters have {@linkcode COME_BACK_WITHIN}; then they have left.
   *
   * @param snapshot what {@linkcode freeze} gave there
   */
  takeOver(snapshot: DrainSnapshot): Promise<void> {
    return this.turns.take(async () => {
      this.restoreUpstream(snapshot);
      if (snapshot.history !== undefined) this.history.moveIn(snapshot.history);
      this.retargets = snapshot.retargets;
      // Another command line is another target, as after a retarget.
      const isSame = snapshot.commandUpstream === this.commandUpstream;
      this.suspendElsewhere = isSame ? snapshot.suspendElsewhere : this.suspendQuiet;
      if (this.suspendElsewhere !== null) {
        this.relay.retarget(this.relay.upstream, this.suspendElsewhere);
      }
      const waiters = snapshot.waiters.map((one) => {
        return unpackWaiter(one, this.clock, this.waiterEvents);
      });
      this.away = new Away(waiters, this.clock);
      if (snapshot.drain === null) {
        await this.recorder.tryToRemove();
        await this.relay.open();
        return;
      }
      const current = unpackDrain(snapshot.drain, this.clock);
      for (const waiter of waiters) if (waiter.endedAs === null) current.waiters.add(waiter);
      // It is there already, but may name another command line, or not have been written.
      await this.recorder.tryToWrite(this.record(current));
      if (current.state === "draining") await this.relay.hold(current.lettingGo);
      this.current = current;
      this.report({ type: "taken_over", state: current.state, owner: current.owner });
      // Those that were cut and were not gone yet are not cut again by themselves.
      for (const id of current.cut) this.relay.close(id, "drain");
      await this.advance();
    });
  }

  /**
   * Stops changing anything, so that another process can take over. Commands and what is due wait,
   * and the relay is asked to do nothing, until {@linkcode thaw} or {@linkcode moved}.
   *
   * @throws {DrainRefused} when the process stops
   */
  freeze(): Promise<DrainSnapshot> {
    return this.turns.freeze(() => {
      this.refuseIfStopped();
      return this.#snapshot();
    });
  }

  /** Goes on after {@linkcode freeze} as if nothing had happened. */
  thaw(): void {
    this.turns.thaw();
  }

  /** Ends the machine after {@linkcode freeze}, without touching the relay: it goes on elsewhere. */
  moved(): void {
    if (this.turns.frozen === null) throw new Error("A drain must be frozen to be moved");
    this.stopped = this.hasMoved = true;
    this.history.moveOut();
    const current = this.current;
    if (current !== null) {
      const outcome = this.outcome("moved", current, messages.MOVED);
      for (const waiter of current.waiters) waiter.end(outcome);
    }
    this.turns.end(new DrainRefused("moved", messages.MOVED));
  }

  /**
   * A keeper has the listening socket as well. Until {@linkcode unpark} no time that runs out ends
   * the drain; a resume does.
   *
   * @param takeBack is called before the relay opens, and resolves when it may
   */
  park(takeBack: () => Promise<void>): void {
    this.takeBack = takeBack;
  }

  /** There is no keeper any more: what has become due meanwhile happens now. */
  unpark(): void {
    this.takeBack = null;
    this.turns.wake();
  }

  /**
   * `null` unless it is {@linkcode freeze frozen}. Resolves when it goes on; rejects with
   * {@linkcode DrainRefused} when it has moved.
   */
  get frozen(): Promise<void> | null {
    return this.turns.frozen;
  }

  /**
   * Somebody comes back who waited for it in the process before.
   *
   * @param token names the waiter
   * @throws {DrainRefused} when nobody of that name is waited for
   */
  comeBack(token: string): Promise<Waiter> {
    return this.turns.take(() => {
      this.refuseIfStopped();
      const waiter = this.away.take(token);
      if (waiter !== undefined) return Promise.resolve(waiter);
      throw new DrainRefused("no_such_waiter", messages.NO_SUCH_WAITER);
    });
  }

  #snapshot(): DrainSnapshot {
    const { current, relay, clock, commandUpstream, suspendElsewhere, takeBack, away } = this;
    const upstream = formatAddress(relay.upstream);
    return {
      version: 1,
      commandUpstream,
      upstream: upstream === commandUpstream ? null : upstream,
      suspendElsewhere,
      retargets: this.retargets,
      drain: current && packDrain(current, clock, takeBack !== null),
      waiters: packWaiters(current?.waiters ?? [], away.all),
      history: this.history.all,
    };
  }
}
