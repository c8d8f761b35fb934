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
import type { DrainRecord, RecordStore } from "./drain/record.ts";
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
import { describeDuration } from "./duration.ts";
import type { Connection, Relay } from "./relay/relay.ts";

/** For how long a refused exclusive drain absorbs a resume, in milliseconds. */
export const ABSORB_WITHIN = 5 * 60_000;

/** How long a drain that was asked for on the command line may stay drained, in milliseconds. */
export const START_DRAINED_LEASE = 60 * 60_000;

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

/** A drain that is going on. Times are the clock's monotonic ones. */
interface Current {
  owner: string | null;
  reason: string | null;
  readonly started: number;
  /** By the wall clock. */
  readonly since: number;
  deadline: number | null;
  lease: number | null;
  leaseEnds: number | null;
  exclusive: boolean;
  detached: boolean;
  closeIdle: number | null;
  closeRemaining: boolean;
  cut: number;
  readonly waiters: Set<Waiter>;
  refusals: { readonly owner: string; readonly expires: number }[];
}

/** The drain of one proxy. Its commands may overlap; they take effect one after the other. */
export class Drain {
  readonly #relay: DrainableRelay;
  readonly #clock: Clock;
  readonly #store: RecordStore;
  readonly #report: (event: DrainEvent) => void;
  readonly #commandUpstream: string;
  #state: "open" | "draining" | "drained" = "open";
  #current: Current | null = null;
  #turn: Promise<unknown> = Promise.resolve();
  #cancelTimer: () => void = () => {};
  #stopped = false;

  constructor(parts: DrainParts) {
    this.#relay = parts.relay;
    this.#clock = parts.clock;
    this.#store = parts.store;
    this.#report = parts.report;
    this.#commandUpstream = formatAddress(parts.commandUpstream);
  }

  /** The state as it is now. Times are by the wall clock, in milliseconds, or `null`. */
  get status(): DrainStatus {
    const current = this.#state === "open" ? null : this.#current;
    return {
      state: this.#state,
      owner: current?.owner ?? null,
      reason: current?.reason ?? null,
      since: current?.since ?? null,
      deadline: this.#state === "draining" ? this.#wall(current?.deadline ?? null) : null,
      leaseExpires: this.#wall(current?.leaseEnds ?? null),
    };
  }

  /**
   * Begins, with the relay still holding: goes back to what the record of an earlier process says,
   * or opens.
   *
   * @param found the record; `null` if there is none (or none that could be read)
   * @param startDrained whether to be drained whatever the record says
   */
  start(found: DrainRecord | null, startDrained: boolean): Promise<void> {
    return this.#serialize(async () => {
      if (found?.upstream && found.commandUpstream === this.#commandUpstream) {
        this.#relay.retarget(parseAddress(found.upstream));
        this.#report({ type: "retargeted", upstream: found.upstream, restored: true });
      }
      const restored = found && this.#restore(found);
      if (restored || startDrained) {
        this.#current = restored || this.#begin({
          owner: null,
          reason: "started drained",
          timeout: null,
          lease: START_DRAINED_LEASE,
          exclusive: false,
          wait: false,
          attached: false,
          closeIdle: null,
          closeRemaining: false,
        });
        const current = this.#current;
        current.leaseEnds ??= this.#ends(current.lease);
        this.#state = "drained";
        await this.#tryToWrite(current);
        this.#report({ type: "restored", owner: current.owner, leaseEnds: current.leaseEnds });
      } else {
        if (found) {
          const expired = found.state === "drained" || found.detached;
          this.#report({ type: "abandoned", owner: found.owner, expired });
          await this.#tryToRemove();
        }
        await this.#relay.open();
      }
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
      const waiter = new Waiter(request, (gone) => void this.#left(gone));
      if (this.#current === null) {
        const current = this.#begin(request);
        try {
          await this.#store.write(this.#record(current, "draining"));
        } catch (error) {
          throw this.#notWritten(error);
        }
        try {
          await this.#relay.hold();
        } catch (error) {
          await this.#tryToRemove();
          throw error;
        }
        this.#current = current;
        this.#state = "draining";
        this.#report({ type: "draining", ...this.#who(current), joined: false });
      } else {
        const refused = this.refusal(request);
        if (refused !== null) throw await this.#refused(this.#current, request, refused);
        await this.#join(this.#current, request);
      }
      if (request.wait) this.#current.waiters.add(waiter);
      if (this.#state === "drained") waiter.settle(this.#outcome("drained", this.#current));
      await this.#advance();
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
      return new DrainRefused("held_by_another", this.#heldBy(current));
    }
    if (!current.exclusive && !request.exclusive) return null;
    const which = current.exclusive ? "that drain" : "this request";
    return new DrainRefused(
      "held_by_another",
      `${this.#heldBy(current)} (the owner is the same, but ${which} is exclusive)`,
    );
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
      if (current === null) {
        return { changed: false, absorbed: false, held: 0, longest: 0, message: "Already open" };
      }
      if (!force && await this.#absorb(current, owner)) {
        const message = `Nothing was resumed: an earlier drain of "${owner}" was refused, ` +
          `and this resume belongs to it. ${this.#heldBy(current)}`;
        return { changed: false, absorbed: true, held: 0, longest: 0, message };
      }
      this.#refuseResume(current, owner, force);
      return await this.#end(
        current,
        force && current.owner !== owner ? "forced" : "resumed",
        owner,
      );
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
    if (current === null || this.#refusalOf(current, owner) >= 0) return;
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
      if (this.#current !== null && this.#state !== "open") {
        try {
          await this.#store.write(this.#record(this.#current, this.#state, upstream));
        } catch (error) {
          throw this.#notWritten(error);
        }
      }
      this.#relay.retarget(upstream);
      this.#report({ type: "retargeted", upstream: formatAddress(upstream), restored: false });
    });
  }

  /** To be called whenever the number of active connections went down. */
  activeDecreased(): void {
    if (this.#state === "draining" && this.#relay.active === 0) this.#wake();
  }

  /** Ends the machine with its process: who waits is told, the record stays. */
  stop(): Promise<void> {
    return this.#serialize(() => {
      this.#stopped = true;
      const current = this.#current;
      if (current === null) return Promise.resolve();
      const outcome = this.#outcome("stopped", current);
      for (const waiter of current.waiters) waiter.end(outcome);
      if (this.#state === "draining") this.#report({ type: "over", ...outcome });
      return Promise.resolve();
    });
  }

  /** Runs commands one after the other, and sets the timer anew after each. */
  #serialize<T>(command: () => Promise<T>): Promise<T> {
    const result = this.#turn.then(command);
    this.#turn = result.then(() => this.#setTimer(), () => this.#setTimer());
    return result;
  }

  #wake(): void {
    void this.#serialize(() => this.#advance());
  }

  /** Does what is due: cuts, becomes drained, fails by the deadline, ends with the lease. */
  async #advance(): Promise<void> {
    const current = this.#current;
    if (current === null || this.#stopped) return;
    if (this.#state === "drained") {
      if (isPast(current.leaseEnds, this.#clock.now())) await this.#end(current, "lease", null);
      return;
    }
    this.#cut(current);
    if (this.#relay.active === 0) return await this.#becomeDrained(current);
    if (isPast(current.deadline, this.#clock.now()) && !current.closeRemaining) {
      await this.#end(current, "deadline", null);
    }
  }

  /** Closes the connections that the drain was asked to close, as far as that is due. */
  #cut(current: Current): void {
    const all = current.closeRemaining && isPast(current.deadline, this.#clock.now());
    if (!all && current.closeIdle === null) return;
    for (const { id, idle } of this.#relay.connections()) {
      if (!all && idle < (current.closeIdle ?? Infinity)) continue;
      if (this.#relay.close(id, "drain")) current.cut++;
    }
  }

  async #becomeDrained(current: Current): Promise<void> {
    current.leaseEnds = this.#ends(current.lease);
    try {
      await this.#store.write(this.#record(current, "drained"));
    } catch (error) {
      // The record still says "draining": after a crash the upgrade would run with the proxy open.
      this.#report({ type: "record_failed", action: "write", error: textOf(error) });
      await this.#end(current, "record", null);
      return;
    }
    this.#state = "drained";
    const outcome = this.#outcome("drained", current);
    this.#report({ type: "drained", ...this.#who(current), leaseEnds: current.leaseEnds });
    this.#report({ type: "over", ...outcome });
    for (const waiter of current.waiters) waiter.settle(outcome);
  }

  /** Opens again, and tells everybody why. */
  async #end(current: Current, cause: EndCause, by: string | null): Promise<Resumed> {
    const { outcome, cut } = this.#outcome(OUTCOMES[cause], current);
    const over = this.#outcome(outcome, current, MESSAGES[cause](current, by));
    const from = this.#state;
    await this.#tryToRemove();
    const released = await this.#relay.open();
    this.#state = "open";
    this.#current = null;
    const resumed = { type: "resumed", cause, from, owner: current.owner, by, cut, ...released };
    this.#report(resumed as DrainEvent);
    if (from === "draining") this.#report({ type: "over", ...over });
    for (const waiter of current.waiters) waiter.end(over);
    const { held, longest } = released;
    const clients = held === 1 ? "1 client" : `${held} clients`;
    const message = held === 0
      ? "Resumed; nobody was held"
      : `Resumed; ${clients} were held, the longest for ${describeDuration(longest)}`
        .replace("1 client were", "1 client was");
    return { changed: true, absorbed: false, held, longest, message };
  }

  /** Somebody who waited went away. */
  #left(waiter: Waiter): Promise<void> {
    return this.#serialize(async () => {
      const current = this.#current;
      if (!current?.waiters.delete(waiter) || this.#stopped) return;
      const needsIt = waiter.attached ? true : this.#state === "draining";
      if (current.waiters.size > 0 || current.detached || !needsIt) return;
      await this.#end(current, "cancelled", null);
    });
  }

  #begin(request: Omit<DrainRequest, "owner"> & { owner: string | null }): Current {
    return {
      owner: request.owner,
      reason: request.reason,
      started: this.#clock.now(),
      since: this.#clock.wall(),
      deadline: this.#ends(request.timeout),
      lease: request.lease,
      leaseEnds: null,
      exclusive: request.exclusive,
      detached: !request.wait,
      closeIdle: request.closeIdle,
      closeRemaining: request.closeRemaining,
      cut: 0,
      waiters: new Set(),
      refusals: [],
    };
  }

  /** The owner drains again: the new deadline and lease replace the earlier ones. */
  async #join(current: Current, request: DrainRequest): Promise<void> {
    const joined: Current = {
      ...current,
      owner: request.owner,
      reason: request.reason ?? current.reason,
      deadline: this.#ends(request.timeout),
      lease: request.lease,
      leaseEnds: this.#state === "drained" ? this.#ends(request.lease) : null,
      exclusive: current.exclusive || request.exclusive,
      detached: current.detached || !request.wait,
      closeIdle: request.closeIdle ?? current.closeIdle,
      closeRemaining: request.closeRemaining || current.closeRemaining,
    };
    try {
      await this.#store.write(this.#record(joined, this.#heldState()));
    } catch (error) {
      throw this.#notWritten(error);
    }
    Object.assign(current, joined);
    this.#report({ type: "draining", ...this.#who(current), joined: true });
  }

  /** Remembers a refusal, if it is one that absorbs a resume. */
  async #refused(current: Current, request: DrainRequest, refused: DrainRefused) {
    if (request.exclusive || current.owner === request.owner) {
      const expires = this.#clock.now() + ABSORB_WITHIN;
      current.refusals.push({ owner: request.owner, expires });
      await this.#tryToWrite(current);
    }
    this.#report({ type: "refused", owner: request.owner, holder: current.owner });
    return refused;
  }

  #refusalOf(current: Current, owner: string): number {
    const now = this.#clock.now();
    return current.refusals.findIndex((one) => one.owner === owner && !isPast(one.expires, now));
  }

  /** Uses up a refusal of this owner. @returns whether there was one */
  async #absorb(current: Current, owner: string): Promise<boolean> {
    const index = this.#refusalOf(current, owner);
    if (index < 0) return false;
    current.refusals.splice(index, 1);
    await this.#tryToWrite(current);
    this.#report({ type: "absorbed", owner, holder: current.owner });
    return true;
  }

  #refuseResume(current: Current, owner: string, force: boolean): void {
    if (force || current.owner === null || current.owner === owner) return;
    throw new DrainRefused("held_by_another", this.#heldBy(current));
  }

  #refuseIfStopped(): void {
    if (this.#stopped) throw new DrainRefused("stopping", "The proxy is stopping");
  }

  /** What an earlier process left. @returns `null` if that means to be open */
  #restore(found: DrainRecord): Current | null {
    const wall = this.#clock.wall();
    const until = (time: string | null) => time === null ? null : Date.parse(time) - wall;
    const leaseLeft = found.state === "drained" ? until(found.leaseExpires) : found.lease;
    const deadlineLeft = until(found.deadline);
    const waitersGone = found.state === "draining" && !found.detached;
    const failed = found.state === "draining" && deadlineLeft !== null && deadlineLeft <= 0;
    if (waitersGone || failed || (leaseLeft !== null && leaseLeft <= 0)) return null;
    // A wall clock that was set back must not make the lease longer than it was.
    const left = leaseLeft === null ? null : Math.min(leaseLeft, found.lease ?? leaseLeft);
    const now = this.#clock.now();
    return {
      owner: found.owner,
      reason: found.reason,
      started: now,
      since: Date.parse(found.since),
      deadline: null,
      lease: found.lease,
      leaseEnds: left === null ? null : now + left,
      exclusive: found.exclusive,
      detached: true,
      closeIdle: null,
      closeRemaining: false,
      cut: 0,
      waiters: new Set(),
      refusals: found.refusals.map(({ owner, expires }) => ({
        owner,
        expires: now + Math.min(Date.parse(expires) - wall, ABSORB_WITHIN),
      })),
    };
  }

  #record(
    current: Current,
    state: DrainRecord["state"],
    upstream: Address = this.#relay.upstream,
  ): DrainRecord {
    const iso = (time: number | null) => {
      const wall = this.#wall(time);
      return wall === null ? null : new Date(wall).toISOString();
    };
    const target = formatAddress(upstream);
    return {
      version: 1,
      state,
      owner: current.owner,
      reason: current.reason,
      since: new Date(current.since).toISOString(),
      deadline: state === "draining" ? iso(current.deadline) : null,
      lease: current.lease,
      leaseExpires: iso(current.leaseEnds),
      exclusive: current.exclusive,
      detached: current.detached,
      commandUpstream: this.#commandUpstream,
      upstream: target === this.#commandUpstream ? null : target,
      refusals: current.refusals.map(({ owner, expires }) => ({
        owner,
        expires: iso(expires) ?? "",
      })),
    };
  }

  #heldState(): DrainRecord["state"] {
    return this.#state === "drained" ? "drained" : "draining";
  }

  /** For what is worth recording, but no reason to refuse or to fail anything. */
  async #tryToWrite(current: Current): Promise<void> {
    try {
      await this.#store.write(this.#record(current, this.#heldState()));
    } catch (error) {
      this.#report({ type: "record_failed", action: "write", error: textOf(error) });
    }
  }

  /** To stay closed because of a record that cannot be removed would only make it worse. */
  async #tryToRemove(): Promise<void> {
    try {
      await this.#store.remove();
    } catch (error) {
      this.#report({ type: "record_failed", action: "remove", error: textOf(error) });
    }
  }

  #notWritten(error: unknown): DrainRefused {
    const message = `Failed to write the drain record, so nothing was changed: ${textOf(error)}`;
    return new DrainRefused("record_not_written", message);
  }

  #who(current: Current) {
    return {
      owner: current.owner,
      reason: current.reason,
      active: this.#relay.active,
      waited: this.#clock.now() - current.started,
      cut: current.cut,
    };
  }

  #heldBy(current: Current): string {
    const { owner, reason } = current;
    const iso = (wall: number) => new Date(wall).toISOString();
    const expiry = this.#state === "drained"
      ? [this.#wall(current.leaseEnds), "lease until"] as const
      : [this.#wall(current.deadline), "deadline"] as const;
    const limit = expiry[0] === null ? "without a limit" : `${expiry[1]} ${iso(expiry[0])}`;
    const because = reason === null ? "" : ` (${reason})`;
    return `The proxy is ${this.#state} by "${owner}"${because} since ${iso(current.since)}, ` +
      `${limit}; to end that: proxyctl resume --owner ${shellWord(owner ?? "")}`;
  }

  #outcome(outcome: Outcome["outcome"], current: Current, message?: string): Outcome {
    const waited = this.#clock.now() - current.started;
    const blockers: Connection[] = outcome === "drained" ? [] : this.#relay.connections();
    const cut = current.cut === 0 ? "" : `, ${count(current.cut, "connection")} cut`;
    return {
      outcome,
      message: message ??
        (outcome === "drained"
          ? `Drained after ${describeDuration(waited)}${cut}`
          : "The proxy stopped while it was drained"),
      waited,
      cut: current.cut,
      blockers,
    };
  }

  #ends(duration: number | null): number | null {
    return duration === null ? null : this.#clock.now() + duration;
  }

  #wall(time: number | null): number | null {
    return time === null ? null : this.#clock.wall() + (time - this.#clock.now());
  }

  #setTimer(): void {
    this.#cancelTimer();
    this.#cancelTimer = () => {};
    const delay = this.#stopped ? null : this.#delay();
    if (delay !== null) this.#cancelTimer = this.#clock.after(delay, () => this.#wake());
  }

  /** Milliseconds until something can be due; `null` if time alone changes nothing. */
  #delay(): number | null {
    const current = this.#current;
    if (current === null) return null;
    const now = this.#clock.now();
    if (this.#state === "drained") return until(current.leaseEnds, now);
    const delays = [until(current.deadline, now)];
    // Past its deadline the drain only waits until those that it cut are gone.
    if (isPast(current.deadline, now)) delays[0] = 1000;
    if (current.closeIdle !== null) {
      for (const { idle } of this.#relay.connections()) delays.push(current.closeIdle - idle);
    }
    const due = delays.filter((delay) => delay !== null);
    return due.length === 0 ? null : Math.max(1, Math.min(...due));
  }
}

const OUTCOMES = {
  resumed: "ended",
  forced: "ended",
  deadline: "deadline",
  cancelled: "cancelled",
  lease: "ended",
  record: "refused",
} as const satisfies Record<EndCause, Outcome["outcome"]>;

const MESSAGES: Record<EndCause, (current: Current, by: string | null) => string> = {
  resumed: (_, by) => `The drain was ended by its owner "${by}"`,
  forced: (_, by) => `The drain was ended by "${by}", by force`,
  deadline: () => "The deadline passed; traffic was resumed, nothing was cut",
  cancelled: () => "Nobody waits for the drain any more; traffic was resumed",
  lease: () => "The lease expired; traffic was resumed",
  record: () => "Failed to write the drain record; traffic was resumed",
};

function isPast(time: number | null, now: number): boolean {
  return time !== null && now >= time;
}

function until(time: number | null, now: number): number | null {
  return time === null ? null : Math.max(0, time - now);
}

function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? "" : "s"}`;
}

/** An owner as a word for a shell, for commands that are meant to be pasted. */
function shellWord(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
