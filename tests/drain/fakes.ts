/**
 * A clock, a relay and a disk for the drain state machine, which do nothing by themselves: time
 * passes, bytes move and I/O ends when the test says so.
 *
 * @module
 */

import { setImmediate } from "node:timers/promises";
import { type Address, formatAddress } from "../../lib/address.ts";
import type { Clock } from "../../lib/clock.ts";
import type { DrainableRelay } from "../../lib/drain/types.ts";
import {
  type DrainRecord,
  formatRecord,
  parseRecord,
  type RecordStore,
} from "../../lib/drain/record.ts";
import {
  type CloseReason,
  type Connection,
  type LettingGo,
  type Released,
  WAIT_FOR_ALL,
} from "../../lib/relay/relay.ts";

/** Lets a fake do its I/O: calls `effect`, now or later, and tells what came of it. */
export type Perform = <T>(name: string, effect: () => T) => Promise<T>;

/** I/O that has happened by the time it is asked for. */
export const atOnce: Perform = (_, effect) =>
  new Promise((resolve) => {
    resolve(effect());
  });

/** Until everything that can go on without I/O and without time has gone on. */
export async function idle(): Promise<void> {
  await setImmediate();
}

/** Whether a promise has been kept so far. */
export async function isKept(promise: Promise<unknown>): Promise<boolean> {
  let kept = false;
  void promise.then(() => kept = true);
  await idle();
  return kept;
}

/** A clock that stands still until it is told to go on. */
export class FakeClock implements Clock {
  #now: number;
  #wall: number;
  #timers: { at: number; callback: () => void }[] = [];

  constructor(now = 5000, wall = Date.parse("2026-03-01T12:00:00.000Z")) {
    this.#now = now;
    this.#wall = wall;
  }

  now(): number {
    return this.#now;
  }

  wall(): number {
    return this.#wall;
  }

  after(milliseconds: number, callback: () => void): () => void {
    if (milliseconds > 2 ** 31 - 1) throw new RangeError("The real one would fire at once");
    const timer = { at: this.#now + milliseconds, callback };
    this.#timers.push(timer);
    return () => {
      this.#timers = this.#timers.filter((one) => one !== timer);
    };
  }

  get timers(): number {
    return this.#timers.length;
  }

  /** Sets the wall clock to another time. */
  jump(milliseconds: number): void {
    this.#wall += milliseconds;
  }

  /** Lets time pass, from timer to timer. @param between what happens after each of them */
  async pass(milliseconds: number, between: () => Promise<void> = idle): Promise<void> {
    await between();
    const end = this.#now + milliseconds;
    for (;;) {
      const [next] = this.#timers.filter(({ at }) => at <= end).sort((a, b) => a.at - b.at);
      if (next === undefined) break;
      this.#moveTo(Math.max(next.at, this.#now));
      this.#timers = this.#timers.filter((one) => one !== next);
      next.callback();
      await between();
    }
    this.#moveTo(end);
  }

  #moveTo(time: number): void {
    this.#wall += time - this.#now;
    this.#now = time;
  }
}

/** A relay whose clients are numbers. */
export class FakeRelay implements DrainableRelay {
  upstream: Address;
  holding = true;
  suspended = 0;
  /** What the last hold was told. */
  lettingGo = WAIT_FOR_ALL;
  /** What the last retarget was told. */
  suspendElsewhere: number | null = null;
  /** The clients that wait, by the time when they came. */
  queued: number[] = [];
  /** The connections that were cut, in order. */
  readonly cut: number[] = [];
  /** How often somebody looked at the connections. */
  looks = 0;
  /** How many were listed then. */
  listed = 0;
  noneActive: () => void = () => {};
  /** Called before a connection is cut. */
  beforeClose: (id: number) => void = () => {};
  /** Makes the next one fail. */
  readonly failing: { hold?: Error; open?: Error } = {};
  readonly #connections = new Map<number, {
    opened: number;
    moved: number;
    cut: boolean;
    upstream: string;
  }>();
  readonly #clock: Clock;
  readonly #perform: Perform;
  readonly #closeLater: boolean;
  #last = 0;

  /** @param closeLater whether a cut connection is gone only after a moment */
  constructor(clock: Clock, perform: Perform, upstream: Address, closeLater = false) {
    this.#clock = clock;
    this.#perform = perform;
    this.upstream = upstream;
    this.#closeLater = closeLater;
  }

  get active(): number {
    return this.#connections.size;
  }

  get elsewhere(): number {
    const here = formatAddress(this.upstream);
    return [...this.#connections.values()].filter(({ upstream }) => upstream !== here).length;
  }

  hold(lettingGo: LettingGo = WAIT_FOR_ALL): Promise<void> {
    return this.#perform("hold", () => {
      this.holding = true;
      this.lettingGo = lettingGo;
      this.#fail("hold");
    });
  }

  open(): Promise<Released> {
    return this.#perform("open", () => {
      this.#fail("open");
      this.holding = false;
      const waited = this.queued.map((since) => this.#clock.now() - since);
      for (const _ of waited) this.#serve();
      this.queued = [];
      return { held: waited.length, longest: Math.max(0, ...waited) };
    });
  }

  retarget(upstream: Address, suspendQuiet: number | null = null): void {
    this.upstream = upstream;
    this.suspendElsewhere = suspendQuiet;
  }

  connections(most = Infinity): Connection[] {
    this.looks++;
    this.listed = Math.min(most, this.active);
    return this.#all().slice(0, most);
  }

  #all(): Connection[] {
    const now = this.#clock.now();
    return [...this.#connections].map(([id, { opened, moved }]) => ({
      id,
      peer: `192.0.2.1:${id}`,
      upstream: formatAddress(this.upstream),
      state: "established",
      age: now - opened,
      idle: now - moved,
      bytesUp: 0,
      bytesDown: 0,
      heldFor: null,
      tied: null,
    }));
  }

  close(id: number, reason: CloseReason): boolean {
    const connection = this.#connections.get(id);
    if (connection === undefined) return false;
    if (reason === "drain" && !connection.cut) {
      this.beforeClose(id);
      this.cut.push(id);
    }
    connection.cut = true;
    if (this.#closeLater) void this.#perform("closed", () => this.finish(id));
    else this.finish(id);
    return true;
  }

  closeIdle(idle: number, reason: CloseReason): Promise<Connection[]> {
    return this.#perform("closeIdle", () => {
      this.looks++;
      const due = (one: { moved: number; cut: boolean }) =>
        !one.cut && this.#clock.now() - one.moved >= idle;
      const ids = [...this.#connections].filter(([, one]) => due(one)).map(([id]) => id);
      const all = this.#all();
      return all.filter(({ id }) => ids.includes(id) && this.close(id, reason));
    });
  }

  /** Everything goes to the relay of another process, whose clock is another one. */
  moveTo(other: FakeRelay): void {
    const shift = other.#clock.now() - this.#clock.now();
    for (const [id, one] of this.#connections) {
      const { opened, moved } = one;
      other.#connections.set(id, { ...one, opened: opened + shift, moved: moved + shift });
    }
    other.queued = this.queued.map((since) => since + shift);
    other.cut.push(...this.cut);
    other.#last = this.#last;
    this.#connections.clear();
    this.queued = [];
  }

  /** A client comes. */
  arrive(): void {
    if (this.holding) this.queued.push(this.#clock.now());
    else this.#serve();
  }

  /** Bytes move. */
  touch(id: number): void {
    const connection = this.#connections.get(id);
    if (connection) connection.moved = this.#clock.now();
  }

  /** A connection ends. */
  finish(id: number): void {
    if (this.#connections.delete(id)) this.noneActive();
  }

  /** Every connection ends. */
  finishAll(): void {
    for (const id of [...this.#connections.keys()]) this.finish(id);
  }

  #serve(): void {
    const now = this.#clock.now();
    this.#connections.set(++this.#last, {
      ...{ opened: now, moved: now, cut: false },
      upstream: formatAddress(this.upstream),
    });
  }

  #fail(what: "hold" | "open"): void {
    const error = this.failing[what];
    if (error === undefined) return;
    delete this.failing[what];
    throw error;
  }
}

/** How an operation fails: with nothing done, or with everything done. */
export type Fault = "before" | "after" | null;

/** What outlives the process: the record, as the text that a file would have. */
export class FakeDisk {
  text: string | null = null;
  failWrite: Fault = null;
  failRemove: Fault = null;
  /** How often it has been written. */
  writes = 0;

  get record(): DrainRecord | null {
    return this.text === null ? null : parseRecord(this.text);
  }

  store(perform: Perform): RecordStore {
    return {
      write: (record) => {
        const text = formatRecord(record);
        return perform("write", () => {
          const fault = this.failWrite;
          this.failWrite = null;
          if (fault === "before") throw new Error("no space left");
          this.text = text;
          this.writes++;
          if (fault === "after") throw new Error("input/output error");
        });
      },
      remove: () =>
        perform("remove", () => {
          const fault = this.failRemove;
          this.failRemove = null;
          if (fault === "before") throw new Error("read-only");
          this.text = null;
          if (fault === "after") throw new Error("input/output error");
        }),
    };
  }
}
