import { makeEventCounter, raise } from "../../linux/event_counter.ts";
import { libc } from "../../linux/libc.ts";
import type { Connection, Counters } from "../relay.ts";
import type { Assignment, Report } from "./messages.ts";
import type { Arrived } from "./moved.ts";
import { CONTROL, type SharedMemory } from "./shared.ts";
import { Table } from "./table.ts";

/** How long a thread may take to do what it is asked for, in milliseconds; twice, to be sure. */
const PATIENCE = 5000;

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
  /** What it had when it was frozen last. */
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
  #isDismissed = false;
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
  }

  /** Gives each thread what it has to do; resolves when all are ready. */
  async begin(
    assignment: Omit<Assignment, "index" | "threads" | "wakers" | "shared" | "table">,
  ): Promise<void> {
    const threads = this.#members.length;
    const wakers = this.#members.map(({ waker }) => waker);
    for (const [index, { worker, table }] of this.#members.entries()) {
      worker.postMessage(
        {
          ...assignment,
          ...{ index, threads, wakers },
          shared: this.#shared.buffer,
          table: table.buffer,
          moved: assignment.moved.filter((_, place) => place % threads === index),
        } satisfies Assignment,
      );
    }
    await Promise.all(this.#members.map(({ ready }) => ready.promise));
  }

  /** The connections of each. */
  get tables(): Table[] {
    return this.#members.map(({ table }) => table);
  }

  /** What each has counted. */
  get counters(): Counters[] {
    return this.#members.map(({ table }) => table.counters);
  }

  /** What they had when they were frozen last. */
  get frozen(): { connections: Arrived[]; lastId: number } {
    return {
      connections: this.#members.flatMap(({ frozen }) => frozen.connections),
      lastId: Math.max(...this.#members.map(({ frozen }) => frozen.lastId)),
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
    let timer = setTimeout(() => {
      // If the whole process was stopped, they have had no time at all yet.
      timer = setTimeout(() => {
        const late = this.#members.find(({ done }) => done < command);
        if (late !== undefined) this.#break(late, new Error("a thread does not answer"));
      }, PATIENCE);
    }, PATIENCE);
    while (!this.#isDismissed && this.#members.some(({ done }) => done < command)) {
      await this.#changed.promise;
    }
    clearTimeout(timer);
  }

  /** Tells them to end, one way or the other, and nothing else any more; resolves when all have. */
  async dismiss(mode: number): Promise<void> {
    this.#isDismissed = true;
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
      frozen: { connections: [], lastId: 0 },
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
    if (report.ready) member.ready.resolve();
    if (report.frozen) member.frozen = report.frozen;
    if (report.cutIdle) member.cutIdle = report.cutIdle;
    if (report.done !== undefined) member.done = report.done;
    if (report.ended) member.ended.resolve();
    this.#events.heard(report);
    this.#changed.resolve();
    this.#changed = Promise.withResolvers();
  }

  #break(member: Member, error: Error): void {
    // Nobody can wait for it any more.
    member.ended.resolve();
    if (this.#isDismissed) return;
    this.#isDismissed = true;
    this.#events.broke(error, member.table);
    member.ready.reject(error);
    this.#changed.resolve();
  }
}
