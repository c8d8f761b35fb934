/**
 * The drain state machine. It decides when clients are held and when they are served; it does no
 * I/O itself, and gets its clock, its relay and the keeper of its record handed in.
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

import { type Address, formatAddress, parseAddress } from "./address.ts";
import type { Clock } from "./clock.ts";
import { Away } from "./drain/away.ts";
import { begin, type Current, drained, join, startDrained } from "./drain/current.ts";
import { untilDue } from "./drain/due.ts";
import * as messages from "./drain/messages.ts";
import { packDrain, packWaiters, unpackDrain, unpackWaiter } from "./drain/moving.ts";
import type { DrainRecord, RecordStore } from "./drain/record.ts";
import { recordOf, restore } from "./drain/recording.ts";
import type { DrainSnapshot } from "./drain/snapshot.ts";
import { isPast, wallTime } from "./drain/times.ts";
import {
  type DrainEvent,
  DrainRefused,
  type DrainRequest,
  type DrainStatus,
  type EndCause,
  type Outcome,
  type Resumed,
} from "./drain/types.ts";
import { Waiter } from "./drain/waiter.ts";
import type { Relay, Released } from "./relay/relay.ts";
import { messageOf } from "./message_of.ts";

export { COME_BACK_WITHIN } from "./drain/away.ts";
export { START_DRAINED_LEASE } from "./drain/current.ts";
export { ABSORB_WITHIN } from "./drain/refusals.ts";

/** The part of a relay that a drain needs. */
export type DrainableRelay = Pick<
  Relay,
  "active" | "upstream" | "hold" | "open" | "connections" | "close" | "retarget"
>;

/** What a drain is made of. */
export interface DrainParts {
  readonly relay: DrainableRelay;
  readonly clock: Clock;
  readonly store: RecordStore;
  /** The service on the command line. */
  readonly commandUpstream: Address;
  readonly report: (event: DrainEvent) => void;
}

const OUTCOMES = {
  resumed: "ended",
  forced: "ended",
  deadline: "deadline",
  cancelled: "cancelled",
  lease: "ended",
  record: "refused",
} as const satisfies Record<EndCause, Outcome["outcome"]>;

/** The drain of one proxy. Its commands may overlap; they take effect one after the other. */
export class Drain {
  readonly #relay: DrainableRelay;
  readonly #clock: Clock;
  readonly #store: RecordStore;
  readonly #report: (event: DrainEvent) => void;
  readonly #commandUpstream: string;
  /** `null` while open. */
  #current: Current | null = null;
  #turn: Promise<unknown> = Promise.resolve();
  #cancelTimer: () => void = () => {};
  /** The end of its process, or of its part in it. */
  #stopped = false;
  #moved = false;
  /** Set from {@linkcode freeze} to {@linkcode thaw}, or for good once it has moved. */
  #frozen: PromiseWithResolvers<void> | null = null;
  /** While parked: has the listening socket given back. */
  #takeBack: (() => Promise<void>) | null = null;
  #away: Away;

  constructor(parts: DrainParts) {
    this.#relay = parts.relay;
    this.#clock = parts.clock;
    this.#store = parts.store;
    this.#report = parts.report;
    this.#commandUpstream = formatAddress(parts.commandUpstream);
    this.#away = new Away([], parts.clock);
  }

  /** The state as it is now. Times are by the wall clock, in milliseconds, or `null`. */
  get status(): DrainStatus {
    const current = this.#current;
    return {
      state: current?.state ?? "open",
      owner: current?.owner ?? null,
      reason: current?.reason ?? null,
      since: current?.since ?? null,
      deadline: wallTime(current?.deadline ?? null, this.#clock),
      leaseExpires: wallTime(current?.leaseEnds ?? null, this.#clock),
    };
  }

  /**
   * Begins, with the relay still holding: goes back to what the record of an earlier process says,
   * or opens.
   *
   * @param found the record; `null` if there is none (or none that could be read)
   * @param drainAnyway whether to be drained whatever the record says
   */
  start(found: DrainRecord | null, drainAnyway: boolean): Promise<void> {
    return this.#serialize(async () => {
      if (found) this.#restoreUpstream(found);
      const restored = found && restore(found, this.#clock);
      if (found && !restored) {
        const expired = found.state === "drained" || found.detached;
        this.#report({ type: "abandoned", owner: found.owner, expired });
      }
      const current = restored ?? (drainAnyway ? startDrained(this.#clock) : null);
      if (current !== null) {
        await this.#tryToWrite(current);
        this.#current = current;
        this.#report({ type: "restored", owner: current.owner, leaseEnds: current.leaseEnds });
      } else {
        if (found) await this.#tryToRemove();
        await this.#relay.open();
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
    return this.#serialize(async () => {
      this.#restoreUpstream(snapshot);
      const leave = (waiter: Waiter) => this.#unattended(this.#left(waiter));
      const waiters = snapshot.waiters.map((one) => unpackWaiter(one, this.#clock, leave));
      this.#away = new Away(waiters, this.#clock);
      if (snapshot.drain === null) {
        await this.#tryToRemove();
        await this.#relay.open();
        return;
      }
      const current = unpackDrain(snapshot.drain, this.#clock);
      for (const waiter of waiters) if (waiter.endedAs === null) current.waiters.add(waiter);
      // It is there already, but may name another command line, or not have been written.
      await this.#tryToWrite(current);
      this.#current = current;
      this.#report({ type: "taken_over", state: current.state, owner: current.owner });
      // Those that were cut and were not gone yet are not cut again by themselves.
      for (const id of current.cut) this.#relay.close(id, "drain");
      await this.#advance();
    });
  }

  /**
   * Stops changing anything, so that another process can take over. Commands and what is due wait,
   * and the relay is asked to do nothing, until {@linkcode thaw} or {@linkcode moved}.
   *
   * @throws {DrainRefused} when the process stops
   */
  freeze(): Promise<DrainSnapshot> {
    const { promise, resolve, reject } = Promise.withResolvers<DrainSnapshot>();
    this.#serialize(async () => {
      this.#refuseIfStopped();
      this.#cancelTimer();
      const frozen = Promise.withResolvers<void>();
      this.#frozen = frozen;
      resolve(this.#snapshot());
      // Its turn lasts until then.
      await frozen.promise.catch(() => {});
    }).catch(reject);
    return promise;
  }

  /** Goes on after {@linkcode freeze} as if nothing had happened. */
  thaw(): void {
    this.#frozen?.resolve();
    this.#frozen = null;
  }

  /** Ends the machine after {@linkcode freeze}, without touching the relay: it goes on elsewhere. */
  moved(): void {
    if (this.#frozen === null) throw new Error("A drain must be frozen to be moved");
    this.#stopped = this.#moved = true;
    const current = this.#current;
    if (current !== null) {
      const outcome = this.#outcome("moved", current, messages.MOVED);
      for (const waiter of current.waiters) waiter.end(outcome);
    }
    this.#frozen.reject(new DrainRefused("moved", messages.MOVED));
  }

  /**
   * A keeper has the listening socket as well. Until {@linkcode unpark} no time that runs out ends
   * the drain; a resume does.
   *
   * @param takeBack is called before the relay opens, and resolves when it may
   */
  park(takeBack: () => Promise<void>): void {
    this.#takeBack = takeBack;
  }

  /** There is no keeper any more: what has become due meanwhile happens now. */
  unpark(): void {
    this.#takeBack = null;
    this.#wake();
  }

  /**
   * `null` unless it is {@linkcode freeze frozen}. Resolves when it goes on; rejects with
   * {@linkcode DrainRefused} when it has moved.
   */
  get frozen(): Promise<void> | null {
    return this.#frozen?.promise ?? null;
  }

  /**
   * Somebody comes back who waited for it in the process before.
   *
   * @param token names the waiter
   * @throws {DrainRefused} when nobody of that name is waited for
   */
  comeBack(token: string): Promise<Waiter> {
    return this.#serialize(() => {
      this.#refuseIfStopped();
      const waiter = this.#away.take(token);
      if (waiter !== undefined) return Promise.resolve(waiter);
      throw new DrainRefused("no_such_waiter", messages.NO_SUCH_WAITER);
    });
  }

  /**
   * Enters draining, or joins the owner's own drain.
   *
   * @returns the one who waits for it
   * @throws {DrainRefused} when another holds it, or it cannot be recorded; then nothing changed
   */
  drain(request: DrainRequest): Promise<Waiter> {
    return this.#serialize(async () => {
      this.#refuseIfStopped();
      const current = this.#current === null
        ? await this.#enter(request)
        : await this.#join(this.#current, request);
      const leave = (gone: Waiter) => this.#unattended(this.#left(gone));
      const waiter = new Waiter(request, this.#clock, leave);
      current.waiters.add(waiter);
      await this.#advance();
      // Not told before: the new lease may have ended while it was being written.
      if (current.state === "drained") {
        const message = "Already drained; the lease was renewed";
        waiter.settle({ ...this.#outcome("drained", current, message), waited: 0 });
      }
      return waiter;
    });
  }

  /**
   * Why a drain would be refused right now.
   *
   * @returns `null` if it would not be
   */
  refusal(request: Pick<DrainRequest, "owner" | "exclusive">): DrainRefused | null {
    const current = this.#current;
    if (current === null || current.owner === null) return null;
    if (current.owner !== request.owner) {
      return new DrainRefused("held_by_another", messages.heldBy(current, this.#clock));
    }
    if (!current.exclusive && !request.exclusive) return null;
    return new DrainRefused("held_by_another", messages.heldByYourself(current, this.#clock));
  }

  /**
   * Goes back to open. Of an open proxy it is a success that changes nothing.
   *
   * @throws {DrainRefused} when another holds it and `force` is not set
   */
  resume(owner: string, force: boolean): Promise<Resumed> {
    return this.#serialize(async () => {
      this.#refuseIfStopped();
      const current = this.#current;
      const unchanged = { changed: false, absorbed: false, held: 0, longest: 0 };
      if (current === null) return { ...unchanged, message: "Already open" };
      if (!force && current.refusals.take(owner, this.#clock.now())) {
        this.#report({ type: "absorbed", owner, holder: current.owner });
        await this.#tryToWrite(current);
        const message = messages.absorbed(owner, current, this.#clock);
        return { ...unchanged, absorbed: true, message };
      }
      this.#refuseResume(current, owner, force);
      const forced = current.owner !== null && current.owner !== owner;
      const released = await this.#end(current, forced ? "forced" : "resumed", owner);
      const message = messages.resumed(released);
      return { changed: true, absorbed: false, ...released, message };
    });
  }

  /**
   * Whether a resume would be refused, without doing it.
   *
   * @throws {DrainRefused} if it would be
   */
  checkResume(owner: string, force: boolean): void {
    this.#refuseIfStopped();
    const current = this.#current;
    if (current === null || current.refusals.has(owner, this.#clock.now())) return;
    this.#refuseResume(current, owner, force);
  }

  /**
   * Sends new connections to another service. During a drain that survives a crash.
   *
   * @throws {DrainRefused} when it cannot be recorded; then nothing changed
   */
  retarget(upstream: Address): Promise<void> {
    return this.#serialize(async () => {
      this.#refuseIfStopped();
      if (this.#current !== null) await this.#write(this.#current, upstream);
      this.#relay.retarget(upstream);
      this.#report({ type: "retargeted", upstream: formatAddress(upstream), restored: false });
    });
  }

  /** To be called when no connection is active any more. */
  noneActive(): void {
    if (this.#current?.state === "draining" && this.#relay.active === 0) this.#wake();
  }

  /**
   * Ends the machine with its process if the proxy is open and nobody needs it.
   *
   * @param end is called with the relay holding, so that nobody is served any more who comes after
   * it has looked; it does not wait for anything, and returns whether it has ended the process's work
   * @returns what that returned
   */
  stopIfUnused(end: () => boolean): Promise<boolean> {
    return this.#serialize(async () => {
      if (this.#current !== null || this.#stopped) return false;
      await this.#relay.hold();
      const ended = end();
      if (ended) this.#stopped = true;
      else await this.#relay.open();
      return ended;
    });
  }

  /** Ends the machine with its process: who waits is told, the record stays. */
  stop(): Promise<void> {
    const again = this.#stopped;
    // At once: what is still in its turn must not open what is being closed.
    this.#stopped = true;
    return this.#serialize(() => {
      const current = this.#current;
      if (current !== null && !again && !this.#moved) {
        const outcome = this.#outcome("stopped", current, messages.stoppedWhile(current));
        if (current.state === "draining") this.#report({ type: "over", ...outcome });
        for (const waiter of current.waiters) waiter.end(outcome);
      }
      return Promise.resolve();
    });
  }

  /** Runs commands one after the other, what is due before each, and then sets the timer anew. */
  #serialize<T>(command: () => Promise<T>): Promise<T> {
    const result = this.#turn.then(() => this.#advance()).then(command);
    this.#turn = result.then(() => this.#setTimer(), () => this.#setTimer());
    return result;
  }

  #wake(): void {
    this.#unattended(this.#serialize(() => Promise.resolve()));
  }

  /**
   * For work that nobody waits for. It fails only with a relay that cannot open: rather ends the
   * process then than that clients are held for ever and nobody knows.
   */
  #unattended(work: Promise<unknown>): void {
    work.catch(reportError);
  }

  /** Does what is due: cuts, becomes drained, fails by the deadline, ends with the lease. */
  async #advance(): Promise<void> {
    if (this.#stopped || this.#takeBack !== null) return;
    for (const waiter of this.#away.takeOverdue()) await this.#lose(waiter);
    const current = this.#current;
    if (current === null) return;
    if (current.state === "drained") {
      if (isPast(current.leaseEnds, this.#clock)) await this.#end(current, "lease", null);
      return;
    }
    this.#cut(current);
    if (this.#relay.active === 0) return await this.#becomeDrained(current);
    if (isPast(current.deadline, this.#clock) && !current.closeRemaining) {
      await this.#end(current, "deadline", null);
    }
  }

  /** Closes the connections that the drain was asked to close, as far as that is due. */
  #cut(current: Current): void {
    const all = current.closeRemaining && isPast(current.deadline, this.#clock);
    if (!all && current.closeIdle === null) return;
    for (const { id, idle } of this.#relay.connections()) {
      if (current.cut.has(id) || !all && idle < (current.closeIdle ?? Infinity)) continue;
      if (this.#relay.close(id, "drain")) current.cut.add(id);
    }
  }

  /** Open → draining. */
  async #enter(request: DrainRequest): Promise<Current> {
    const current = begin(request, this.#clock);
    try {
      await this.#write(current);
      await this.#relay.hold();
    } catch (error) {
      // Either may have failed half done.
      await this.#tryToRemove();
      if (!(error instanceof DrainRefused)) await this.#relay.open();
      throw error;
    }
    this.#current = current;
    this.#report({ type: "draining", ...this.#who(current), joined: false });
    return current;
  }

  /** The owner drains again. */
  async #join(current: Current, request: DrainRequest): Promise<Current> {
    if (this.refusal(request) !== null) throw await this.#refuse(current, request);
    const joined = join(current, request, this.#clock);
    await this.#write(joined);
    this.#current = joined;
    this.#report({ type: "draining", ...this.#who(joined), joined: true });
    return joined;
  }

  /** Remembers the refusal, if it is one that absorbs a resume. */
  async #refuse(current: Current, request: DrainRequest): Promise<DrainRefused | null> {
    this.#report({ type: "refused", owner: request.owner, holder: current.owner });
    if (request.exclusive || current.owner === request.owner) {
      current.refusals.add(request.owner, this.#clock.now());
      await this.#tryToWrite(current);
    }
    return this.refusal(request);
  }

  /** Draining → drained. */
  async #becomeDrained(draining: Current): Promise<void> {
    const current = drained(draining, this.#clock);
    try {
      await this.#write(current);
    } catch {
      // The record still says "draining": after a crash the upgrade would run with the proxy open.
      await this.#end(draining, "record", null);
      return;
    }
    this.#current = current;
    const message = messages.drainedAfter(
      this.#clock.now() - current.started,
      current.cut.size,
    );
    const outcome = this.#outcome("drained", current, message);
    this.#report({ type: "drained", ...this.#who(current), leaseEnds: current.leaseEnds });
    this.#report({ type: "over", ...outcome });
    for (const waiter of current.waiters) waiter.settle(outcome);
  }

  /** Draining or drained → open. Tells everybody why. */
  async #end(current: Current, cause: EndCause, by: string | null): Promise<Released> {
    const message = messages.endedBy(cause, current, by);
    const outcome = this.#outcome(OUTCOMES[cause], current, message);
    // Before anything else: until then somebody else may own it all in a moment.
    await this.#takeBack?.();
    await this.#tryToRemove();
    // Before the relay opens: nobody may hear "drained" while somebody is served.
    this.#current = null;
    let released: Released;
    try {
      released = await this.#relay.open();
    } catch (error) {
      this.#current = current;
      throw error;
    }
    const { owner, state: from } = current;
    this.#report({ type: "resumed", cause, from, owner, by, cut: outcome.cut, ...released });
    if (from === "draining") this.#report({ type: "over", ...outcome });
    for (const waiter of current.waiters) waiter.end(outcome);
    return released;
  }

  /** Somebody who waited went away. */
  #left(waiter: Waiter): Promise<void> {
    return this.#serialize(() => this.#lose(waiter));
  }

  async #lose(waiter: Waiter): Promise<void> {
    const current = this.#current;
    if (!current?.waiters.delete(waiter)) return;
    waiter.end(this.#outcome("cancelled", current, "Went away before the drain was over"));
    const wanted = current.state === "drained" || current.detached || current.waiters.size > 0;
    if (this.#stopped || wanted && !waiter.attached) return;
    await this.#end(current, "cancelled", null);
  }

  #refuseResume(current: Current, owner: string, force: boolean): void {
    if (force || current.owner === null || current.owner === owner) return;
    throw new DrainRefused("held_by_another", messages.heldBy(current, this.#clock));
  }

  #refuseIfStopped(): void {
    if (this.#moved) throw new DrainRefused("moved", messages.MOVED);
    if (this.#stopped) throw new DrainRefused("stopping", "The proxy is stopping");
  }

  /** An upstream that was set at run time counts as long as the command line names the same. */
  #restoreUpstream(found: Pick<DrainRecord, "upstream" | "commandUpstream">): void {
    if (found.upstream === null || found.commandUpstream !== this.#commandUpstream) return;
    this.#relay.retarget(parseAddress(found.upstream));
    this.#report({ type: "retargeted", upstream: found.upstream, restored: true });
  }

  #snapshot(): DrainSnapshot {
    const current = this.#current;
    const upstream = formatAddress(this.#relay.upstream);
    return {
      version: 1,
      commandUpstream: this.#commandUpstream,
      upstream: upstream === this.#commandUpstream ? null : upstream,
      drain: current && packDrain(current, this.#clock, this.#takeBack !== null),
      waiters: packWaiters(current?.waiters ?? [], this.#away.all),
    };
  }

  #record(current: Current, upstream: Address = this.#relay.upstream): DrainRecord {
    return recordOf(current, this.#clock, this.#commandUpstream, upstream);
  }

  async #write(current: Current, upstream?: Address): Promise<void> {
    try {
      await this.#store.write(this.#record(current, upstream));
    } catch (error) {
      const what = messageOf(error);
      this.#report({ type: "record_failed", action: "write", error: what });
      const message = `Failed to write the drain record, so nothing was changed: ${what}`;
      throw new DrainRefused("record_not_written", message);
    }
  }

  /** For what is worth recording, but no reason to refuse or to fail anything. */
  async #tryToWrite(current: Current): Promise<void> {
    await this.#write(current).catch(() => {});
  }

  /** To stay closed because of a record that cannot be removed would only make it worse. */
  async #tryToRemove(): Promise<void> {
    try {
      await this.#store.remove();
    } catch (error) {
      this.#report({ type: "record_failed", action: "remove", error: messageOf(error) });
    }
  }

  #who(current: Current) {
    return {
      owner: current.owner,
      reason: current.reason,
      active: this.#relay.active,
      waited: this.#clock.now() - current.started,
      cut: current.cut.size,
    };
  }

  #outcome(outcome: Outcome["outcome"], current: Current, message: string): Outcome {
    return {
      outcome,
      message,
      waited: this.#clock.now() - current.started,
      cut: current.cut.size,
      // When it moves, they are no longer this relay's.
      blockers: outcome === "drained" || outcome === "moved" ? [] : this.#relay.connections(),
    };
  }

  #setTimer(): void {
    this.#cancelTimer();
    this.#cancelTimer = () => {};
    if (this.#stopped || this.#takeBack !== null) return;
    const due = this.#current &&
      untilDue(this.#current, () => this.#relay.connections(), this.#clock);
    const delay = Math.min(due ?? Infinity, this.#away.left ?? Infinity);
    if (delay < Infinity) this.#cancelTimer = this.#clock.after(delay, () => this.#wake());
  }
}
