import { makeEventCounter, raise } from "../../linux/event_counter.ts";
import { libc } from "../../linux/libc.ts";
import type { Connection, Counters } from "../relay.ts";
import type { Assignment, Order, Report } from "./messages.ts";
import { NOTHING_TOLD, type Told } from "./moved.ts";
import { Placing } from "./placing.ts";
import { CONTROL, type SharedMemory } from "./shared.ts";
import { Table } from "./table.ts";

/** How long a thread may take to do what it is asked for, in milliseconds; twice, to be sure. */
const PATIENCE = 5000;

/** What is said of a thread that does not do it. */
const SILENT = "a thread does not answer";

/** A thread, as the main thread knows it. */
interface Member {
  readonly worker: Worker;
  /** Its event counter; -1 once that is closed. */
  waker: number;
  readonly table: Table;
  readonly ready: PromiseWithResolvers<void>;
  readonly ended: PromiseWithResolvers<void>;
  /** The last command that it has done. */
  done: number;
  /** Of whom it was asked to cut if they are idle, those whom it has cut. */
  cutIdle: readonly Connection[];
  /** How often it was told of connections of another process, and has not taken that yet. */
  untaken: number;
  /** The last round in which it has told of its own. */
  copied: number;
  /** What it still had to tell when it was frozen last. */
  frozen: NonNullable<Report["frozen"]>;
}

/** What is told of the threads. */
export interface CrewEvents {
  /** What a thread has to tell, but for what concerns the crew alone. */
  heard(report: Report): void;
  /** A thread died, or hangs, with these connections. All that can be done is to dismiss them. */
  broke(error: Error, table: Table): void;
}

/** The threads of a relay, and how they are told what to do. */
export class Crew {
  readonly #members: Member[];
  readonly #shared: SharedMemory;
  readonly #events: CrewEvents;
  readonly #placing: Placing;
  #hasBegun = false;
  #isDismissed = false;
  /** Why they were dismissed, if they broke. */
  #broken: Error | null = null;
  /** Hears what threads tell of their connections, in the round that is on. */
  #copied: (told: Told<number>) => void = () => {};
  #changed = Promise.withResolvers<void>();

  /** @param rows how many connections each may have */
  constructor(
    workers: readonly Worker[],
    rows: number,
    shared: SharedMemory,
    events: CrewEvents,
  ) {
    this.#shared = shared;
    this.#events = events;
    this.#members = workers.map((worker) => this.#enlist(worker, rows));
    this.#placing = new Placing(workers.length);
  }

  /** Gives each thread what it has to do. */
  assign(
    assignment: Omit<Assignment, "index" | "threads" | "wakers" | "shared" | "table">,
  ): void {
    const threads = this.#members.length;
    const wakers = this.#members.map(({ waker }) => waker);
    for (const [index, member] of this.#members.entries()) {
      const { table } = member;
      send(member, {
        assignment: {
          ...assignment,
          ...{ index, threads, wakers },
          shared: this.#shared.buffer,
          table: table.buffer,
        },
      });
    }
  }

  /**
   * Tells them of connections that another process has, or had.
   *
   * @throws {Error} when what is told does not go with what was told before
   */
  take(told: Told<number>): void {
    for (const [index, part] of this.#placing.divide(told).entries()) {
      const member = this.#members[index];
      if (member === undefined || part === null) continue;
      member.untaken++;
      send(member, { told: part });
    }
  }

  /** How many connections they were told of that are not over. */
  get arrived(): number {
    return this.#placing.size;
  }

  /** Resolves when they have taken all that they were told of. @throws {Error} when they do not */
  async taken(): Promise<void> {
    this.#checkAll(await this.#late(({ untaken }) => untaken === 0));
  }

  /**
   * Has them wait for commands, frozen; resolves when all do.
   *
   * @param lastId the last that a connection has had
   */
  async begin(lastId: number): Promise<void> {
    this.#hasBegun = true;
    for (const member of this.#members) send(member, { begin: lastId });
    await Promise.all(this.#members.map(({ ready }) => ready.promise));
  }

  /**
   * Has them tell of their connections while they go on serving: of all, or of what has changed.
   *
   * @param hear is told
   * @throws {Error} when they do not
   */
  async copy(hear: (told: Told<number>) => void): Promise<void> {
    const { control } = this.#shared;
    this.#copied = hear;
    const round = Atomics.add(control, CONTROL.copies, 1) + 1;
    this.wake();
    this.#checkAll(await this.#late(({ copied }) => copied === round));
  }

  /** Whoever is to be told of the connections has not been told of any yet. */
  expectReceiver(): void {
    Atomics.add(this.#shared.control, CONTROL.receiver, 1);
  }

  /** The connections of each. */
  get tables(): Table[] {
    return this.#members.map(({ table }) => table);
  }

  /** What each has counted. */
  get counters(): Counters[] {
    return this.#members.map(({ table }) => table.counters);
  }

  /** What they still had to tell when they were frozen last. */
  get frozen(): { told: Told<number>; lastId: number } {
    const all = this.#members.map(({ frozen }) => frozen);
    return {
      told: {
        ended: all.flatMap(({ told }) => told.ended),
        connections: all.flatMap(({ told }) => told.connections),
        changed: all.flatMap(({ told }) => told.changed),
      },
      lastId: Math.max(...all.map(({ lastId }) => lastId)),
    };
  }

  /**
   * Has active connections cut on which no byte has moved for so many milliseconds.
   *
   * @param reason as an index of {@linkcode CLOSE_REASONS}
   * @returns those, as they were just before
   */
  async cutIdle(idle: number, reason: number): Promise<Connection[]> {
    const { control } = this.#shared;
    this.#shared.idleLimit = idle;
    Atomics.store(control, CONTROL.idleCutReason, reason);
    Atomics.add(control, CONTROL.idleCuts, 1);
    for (const member of this.#members) member.cutIdle = [];
    await this.command(Atomics.load(control, CONTROL.mode));
    return this.#members.flatMap(({ cutIdle }) => cutIdle);
  }

  /** Has them look whether there is something to do. */
  wake(): void {
    for (const { waker } of this.#members) raise(waker);
  }

  /** Tells them what to do, and waits until all have done it. */
  async command(mode: number): Promise<void> {
    if (this.#isDismissed) return;
    const command = this.#order(mode);
    const late = await this.#late(({ done }) => done >= command);
    if (late !== undefined) this.#break(late, new Error(SILENT));
  }

  /** Waits until each has done something. @returns one that has not, for too long */
  async #late(isDone: (member: Member) => boolean): Promise<Member | undefined> {
    const left = () => this.#members.find((member) => !isDone(member));
    let isOver = false;
    let timer = setTimeout(() => {
      // If the whole process was stopped, they have had no time at all yet.
      timer = setTimeout(() => {
        isOver = true;
        this.#tellChanged();
      }, PATIENCE);
    }, PATIENCE);
    while (!this.#isDismissed && !isOver && left() !== undefined) await this.#changed.promise;
    clearTimeout(timer);
    return isOver && !this.#isDismissed ? left() : undefined;
  }

  /** @throws {Error} when one was late, or they have ended */
  #checkAll(late: Member | undefined): void {
    if (late !== undefined) throw new Error(SILENT);
    if (this.#isDismissed) throw this.#broken ?? new Error("the relay has ended");
  }

  #tellChanged(): void {
    this.#changed.resolve();
    this.#changed = Promise.withResolvers();
  }

  /** Tells them to end, one way or the other, and nothing else any more; resolves when all have. */
  async dismiss(mode: number): Promise<void> {
    this.#isDismissed = true;
    // Before its event loop a thread obeys nothing.
    if (!this.#hasBegun) this.begin(0).catch(() => {});
    this.#order(mode);
    await Promise.all(this.#members.map(({ ended }) => ended.promise));
  }

  /** Gives back what they were told with. */
  close(): void {
    for (const member of this.#members) {
      member.worker.terminate();
      libc.close(member.waker);
      member.waker = -1;
    }
  }

  #enlist(worker: Worker, rows: number): Member {
    const member: Member = {
      worker,
      waker: makeEventCounter(),
      table: Table.make(rows),
      ready: Promise.withResolvers(),
      ended: Promise.withResolvers(),
      done: 0,
      cutIdle: [],
      untaken: 0,
      copied: 0,
      frozen: { told: NOTHING_TOLD, lastId: 0 },
    };
    worker.onmessage = ({ data }: MessageEvent<Report>) => this.#heard(member, data);
    worker.onerror = (event) => {
      event.preventDefault();
      this.#break(member, new Error(`a thread died: ${event.message}`));
    };
    return member;
  }

  /** @returns the number of the command */
  #order(mode: number): number {
    const { control } = this.#shared;
    Atomics.store(control, CONTROL.mode, mode);
    const command = Atomics.add(control, CONTROL.command, 1) + 1;
    this.wake();
    return command;
  }

  #heard(member: Member, report: Report): void {
    if (report.died !== undefined) {
      return this.#break(member, new Error(`a thread died: ${report.died}`));
    }
    if (report.taken) member.untaken--;
    if (report.ready) member.ready.resolve();
    if (report.copied) this.#heardCopied(member, report.copied);
    if (report.frozen) member.frozen = report.frozen;
    if (report.cutIdle) member.cutIdle = report.cutIdle;
    if (report.done !== undefined) member.done = report.done;
    if (report.ended) member.ended.resolve();
    this.#events.heard(report);
    this.#tellChanged();
  }

  #heardCopied(member: Member, { round, told, isLast }: NonNullable<Report["copied"]>): void {
    // Of an earlier round, whose receiver has given up.
    if (round !== Atomics.load(this.#shared.control, CONTROL.copies)) return;
    this.#copied(told);
    if (isLast) member.copied = round;
  }

  #break(member: Member, error: Error): void {
    // Nobody can wait for it any more.
    member.ended.resolve();
    if (this.#isDismissed) return;
    this.#isDismissed = true;
    this.#broken = error;
    this.#events.broke(error, member.table);
    member.ready.reject(error);
    this.#changed.resolve();
  }
}

function send({ worker }: Member, order: Order): void {
  worker.postMessage(order);
}
