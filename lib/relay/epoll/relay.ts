/**
 * The relay for Linux: threads that carry bytes with epoll(7) and splice(2), controlled from here.
 *
 * The kernel queues those who are held. What the threads are to do stands in shared memory; an event
 * counter wakes them, and each says when it has done that.
 *
 * @module
 */

import { lookup } from "node:dns/promises";
import type { Address } from "../../address.ts";
import { now } from "../../linux/clock.ts";
import {
  describeError,
  EADDRNOTAVAIL,
  EAFNOSUPPORT,
  ETIMEDOUT,
  SystemError,
} from "../../linux/errno.ts";
import { makeEventCounter, raise } from "../../linux/event_counter.ts";
import { libc } from "../../linux/libc.ts";
import {
  adopt,
  closeWithReset,
  cookieOf,
  isListening,
  listen,
  localAddress,
  sendAtOnce,
  watchPeer,
} from "../../linux/socket.ts";
import { queueOf } from "../../linux/tcp_info.ts";
import {
  CLOSE_REASONS,
  type CloseReason,
  type Connection,
  type Counters,
  type ListenAt,
  type Relay,
  type RelayEvents,
  type RelayOptions,
  type Released,
} from "../relay.ts";
import { capacity } from "./capacity.ts";
import { NO_ADDRESS } from "./connector.ts";
import type { Assignment, Failures, Report } from "./messages.ts";
import type { MovedRelay } from "./moved.ts";
import {
  CLOSING,
  CONTROL,
  ENDING,
  FROZEN,
  HOLDING,
  LEAVING,
  OPEN,
  SharedMemory,
  Table,
} from "./shared.ts";
import { startWorkers } from "./workers.ts";
import { Upstream } from "./upstream.ts";

/** What the kernel may queue; it takes less if net.core.somaxconn says so (listen(2)). */
const BACKLOG = 4096;

/** How long a thread may take to do what it is asked for, in milliseconds; twice, to be sure. */
const PATIENCE = 5000;

const NO_COUNTERS: Counters = {
  accepted: 0,
  bytesUp: 0,
  bytesDown: 0,
  connectFailures: 0,
  closed: Object.fromEntries(CLOSE_REASONS.map((reason) => [reason, 0])) as Counters["closed"],
};

/** A thread, as the main thread knows it. */
interface ThreadHandle {
  readonly worker: Worker;
  /** Its event counter; -1 once that is closed. */
  waker: number;
  readonly table: Table;
  readonly ready: PromiseWithResolvers<void>;
  readonly ended: PromiseWithResolvers<void>;
  /** The last command that it has done. */
  done: number;
  /** What it had when it was frozen last. */
  frozen: NonNullable<Report["frozen"]>;
}

/** A relay on epoll. */
export class EpollRelay implements Relay {
  readonly kind = "epoll";
  readonly threads: number;
  readonly listen: Address;
  readonly maxConnections: number;
  readonly #events: RelayEvents;
  readonly #options: RelayOptions;
  readonly #listener: number;
  /** Whether another process has the listening socket as well. */
  readonly #isInherited: boolean;
  readonly #shared = new SharedMemory();
  readonly #upstream: Upstream;
  readonly #threads: ThreadHandle[] = [];
  /** What was counted by the process before this one. */
  readonly #before: Counters;
  /** What it was doing before it was frozen. */
  #modeBefore = HOLDING;
  #isListening = true;
  /** Whether what it has is certainly its own: what another process still may have is not touched. */
  #isCommitted = false;
  #isOver = false;
  #changed = Promise.withResolvers<void>();

  /**
   * @param moved what another process had; without connections if there was none
   * @param workers as many as there are to be threads
   */
  private constructor(
    moved: MovedRelay,
    options: RelayOptions,
    events: RelayEvents,
    workers: readonly Worker[],
  ) {
    const { listener, connections: arrived } = moved;
    this.#listener = listener;
    this.#isInherited = moved.isInherited;
    this.#before = moved.counters;
    this.#shared.arrivals = moved.arrivals;
    Atomics.store(this.#shared.control, CONTROL.mode, FROZEN);
    Atomics.store(this.#shared.control, CONTROL.active, arrived.length);
    this.#events = events;
    this.listen = localAddress(listener);
    this.threads = options.threads;
    const { connections, pipes } = capacity(options.maxConnections, options.threads);
    this.maxConnections = connections;
    this.#shared.idleSince = now();
    this.#options = options;
    this.#upstream = new Upstream(options.upstream, () => this.#wake());
    const rows = Math.max(connections, Math.ceil(arrived.length / options.threads));
    for (const worker of workers) this.#threads.push(this.#makeThread(worker, rows));
    for (const [index, { worker, table }] of this.#threads.entries()) {
      const assignment: Assignment = {
        index,
        threads: options.threads,
        listener,
        wakers: this.#threads.map(({ waker }) => waker),
        shared: this.#shared.buffer,
        table: table.buffer,
        target: this.#upstream.memory.buffer,
        maxConnections: connections,
        maxPipes: pipes,
        connectTimeout: options.connectTimeout ?? Infinity,
        idleTimeout: options.idleTimeout ?? Infinity,
        halfCloseTimeout: options.halfCloseTimeout ?? Infinity,
        keepAlive: options.keepAlive,
        userTimeout: options.userTimeout,
        tellEach: events.opened !== undefined || events.closed !== undefined,
        lastId: moved.lastId,
        moved: arrived.filter((_, place) => place % options.threads === index),
      };
      worker.postMessage(assignment);
    }
  }

  /**
   * Starts to listen; nobody is served until {@linkcode open}.
   *
   * @throws {SystemError} when the address cannot be had
   */
  static async listen(
    at: ListenAt,
    options: RelayOptions,
    events: RelayEvents,
  ): Promise<EpollRelay> {
    const isInherited = "descriptor" in at;
    const listener = isInherited ? inherited(at.descriptor) : await listenAt(at);
    const nothing = { lastId: 0, counters: NO_COUNTERS, arrivals: [], connections: [] };
    const relay = await EpollRelay.takeOver({ listener, isInherited, ...nothing }, options, events);
    await relay.thaw();
    return relay;
  }

  /**
   * Takes over from another process, but touches nothing before {@linkcode thaw}; from then on it
   * carries what it was given, and holds new clients.
   *
   * @param moved what {@linkcode freeze} gave there, with the descriptors of this process
   * @param workers of {@linkcode startWorkers}, for those who cannot wait for that now
   */
  static async takeOver(
    moved: MovedRelay,
    options: RelayOptions,
    events: RelayEvents,
    workers?: readonly Worker[],
  ): Promise<EpollRelay> {
    workers ??= await startWorkers(options.threads);
    const relay = new EpollRelay(moved, options, events, workers);
    await Promise.all(relay.#threads.map(({ ready }) => ready.promise));
    return relay;
  }

  /**
   * Touches nothing any more, so that another process can go on with what it is given.
   *
   * @throws when the relay has broken
   */
  async freeze(): Promise<MovedRelay> {
    this.#modeBefore = Atomics.load(this.#shared.control, CONTROL.mode);
    await this.#command(FROZEN);
    if (this.#isOver) throw new Error("the relay has ended");
    const frozen = this.#threads.map((thread) => thread.frozen);
    return {
      listener: this.#listener,
      isInherited: this.#isInherited,
      lastId: Math.max(...frozen.map(({ lastId }) => lastId)),
      counters: this.counters,
      arrivals: this.#shared.arrivals,
      connections: frozen.flatMap(({ connections }) => connections),
    };
  }

  /** Goes on as before {@linkcode freeze}, or begins with what was taken over. */
  async thaw(): Promise<void> {
    if (!this.#isCommitted) {
      this.#isCommitted = true;
      // A service manager that passed it on again, to whoever has taken over, may have made it one
      // that is waited for.
      adopt(this.#listener);
      // What is accepted inherits these.
      sendAtOnce(this.#listener);
      watchPeer(this.#listener, this.#options);
    }
    await this.#command(this.#modeBefore);
  }

  /**
   * Leaves everything to the process that has taken over: nothing that this one still has keeps a
   * connection or the queue alive.
   */
  async leave(): Promise<void> {
    if (this.#isOver) return;
    this.#isOver = true;
    await this.#letGo();
  }

  /** The cookie of the listening socket. */
  get cookie(): string {
    return cookieOf(this.#listener);
  }

  get upstream(): Address {
    return this.#upstream.address;
  }

  get active(): number {
    return Atomics.load(this.#shared.control, CONTROL.active);
  }

  get idleFor(): number {
    return this.active > 0 ? 0 : now() - this.#shared.idleSince;
  }

  get queued(): number {
    const waiting = Atomics.load(this.#shared.control, CONTROL.waiting);
    return waiting + (this.#isListening ? queueOf(this.#listener).length : 0);
  }

  get counters(): Counters {
    const all = [this.#before, ...this.#threads.map(({ table }) => table.counters)];
    const sum = (number: (counters: Counters) => number) =>
      all.reduce((total, counters) => total + number(counters), 0);
    return {
      accepted: sum(({ accepted }) => accepted),
      bytesUp: sum(({ bytesUp }) => bytesUp),
      bytesDown: sum(({ bytesDown }) => bytesDown),
      connectFailures: sum(({ connectFailures }) => connectFailures),
      closed: Object.fromEntries(
        CLOSE_REASONS.map((reason) => [reason, sum(({ closed }) => closed[reason])]),
      ) as Counters["closed"],
    };
  }

  async hold(): Promise<void> {
    if (this.#isListening) await this.#command(HOLDING);
  }

  async open(): Promise<Released> {
    const { control } = this.#shared;
    if (!this.#isListening || Atomics.load(control, CONTROL.mode) === OPEN) {
      return { held: 0, longest: 0 };
    }
    this.#upstream.lookUp();
    const held = this.queued;
    const first = held > 0 ? this.#shared.arrival(0) : null;
    Atomics.store(control, CONTROL.released, 0);
    Atomics.store(control, CONTROL.held, held);
    await this.#command(OPEN);
    return { held, longest: first === null ? 0 : now() - first };
  }

  retarget(upstream: Address): void {
    this.#upstream.address = upstream;
  }

  connections(): Connection[] {
    const time = now();
    const connections: Connection[] = [];
    for (const { table } of this.#threads) {
      for (let row = 0; row < table.height; row++) {
        const connection = table.snapshot(row, time, this.#upstream.name);
        if (connection !== null) connections.push(connection);
      }
    }
    return connections.sort((one, other) => other.age - one.age || one.id - other.id);
  }

  close(id: number, reason: CloseReason): boolean {
    const index = CLOSE_REASONS.indexOf(reason);
    if (!this.#threads.some(({ table }) => table.wishCut(id, index))) return false;
    Atomics.add(this.#shared.control, CONTROL.cuts, 1);
    this.#wake();
    return true;
  }

  async stopListening(): Promise<number> {
    if (!this.#isListening) return 0;
    const isHolding = Atomics.load(this.#shared.control, CONTROL.mode) === HOLDING;
    await this.#command(CLOSING);
    // Whoever passed the socket on keeps those who are queued.
    const reset = isHolding && !this.#isInherited ? this.queued : 0;
    this.#closeListener();
    return reset;
  }

  async shutDown(): Promise<void> {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#order(ENDING);
    await Promise.all(this.#threads.map((thread) => thread.ended.promise));
    this.#closeListener();
    for (const thread of this.#threads) {
      thread.worker.terminate();
      libc.close(thread.waker);
      thread.waker = -1;
    }
  }

  async #letGo(): Promise<void> {
    this.#order(LEAVING);
    this.#closeListener();
    await Promise.all(this.#threads.map(({ ended }) => ended.promise));
  }

  #makeThread(worker: Worker, rows: number): ThreadHandle {
    const thread: ThreadHandle = {
      worker,
      waker: makeEventCounter(),
      table: Table.make(rows),
      ready: Promise.withResolvers(),
      ended: Promise.withResolvers(),
      done: 0,
      frozen: { connections: [], lastId: 0 },
    };
    worker.onmessage = ({ data }: MessageEvent<Report>) => this.#heard(thread, data);
    worker.onerror = (event) => {
      event.preventDefault();
      this.#break(thread, new Error(`a thread died: ${event.message}`));
    };
    return thread;
  }

  /** Tells the threads what to do. @returns the number of the command */
  #order(mode: number): number {
    const { control } = this.#shared;
    Atomics.store(control, CONTROL.mode, mode);
    const command = Atomics.add(control, CONTROL.command, 1) + 1;
    this.#wake();
    return command;
  }

  /** Tells the threads what to do, and waits until all have done it. */
  async #command(mode: number): Promise<void> {
    if (this.#isOver) return;
    const command = this.#order(mode);
    let timer = setTimeout(() => {
      // If the whole process was stopped, they have had no time at all yet.
      timer = setTimeout(() => {
        const late = this.#threads.find(({ done }) => done < command);
        if (late !== undefined) this.#break(late, new Error("a thread does not answer"));
      }, PATIENCE);
    }, PATIENCE);
    while (!this.#isOver && this.#threads.some(({ done }) => done < command)) {
      await this.#changed.promise;
    }
    clearTimeout(timer);
  }

  #wake(): void {
    for (const { waker } of this.#threads) raise(waker);
  }

  #heard(thread: ThreadHandle, report: Report): void {
    const events = this.#events;
    const { name } = this.#upstream;
    if (report.died !== undefined) {
      return this.#break(thread, new Error(`a thread died: ${report.died}`));
    }
    if (report.ready) thread.ready.resolve();
    // What was before comes first: who hears that none is active may want to know how they ended.
    for (const connection of report.opened ?? []) {
      events.opened?.({ ...connection, upstream: name });
    }
    for (const held of report.released ?? []) events.released(held);
    for (const failures of report.failures ?? []) {
      this.#upstream.lookUp();
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
    if (report.full !== undefined) events.full(report.full);
    if (report.queueFilling) {
      events.queueFilling(report.queueFilling.queued, report.queueFilling.most);
    }
    if (report.frozen) thread.frozen = report.frozen;
    if (report.done !== undefined) thread.done = report.done;
    if (report.ended) thread.ended.resolve();
    this.#changed.resolve();
    this.#changed = Promise.withResolvers();
    if (report.noneActive) events.noneActive();
  }

  #describe({ error }: Failures): string {
    const { host, port } = this.#upstream.address;
    if (error === ETIMEDOUT) return `no answer from ${host} port ${port}`;
    if (error !== NO_ADDRESS) return describeError(error);
    return this.#upstream.error === "" ? `no address for ${host}` : this.#upstream.error;
  }

  #closeListener(): void {
    if (!this.#isListening) return;
    this.#isListening = false;
    libc.close(this.#listener);
  }

  /**
   * Resets everything, so that nobody waits for what will never come; or, of what another process
   * still has, nothing.
   */
  #break(thread: ThreadHandle, error: Error): void {
    // Nobody can wait for it any more.
    thread.ended.resolve();
    if (this.#isOver) return;
    this.#isOver = true;
    if (!this.#isCommitted) {
      void this.#letGo();
      thread.ready.reject(error);
      return;
    }
    this.#order(ENDING);
    this.#closeListener();
    const { table } = thread;
    for (let row = 0; row < table.height; row++) {
      if (table.id(row) === 0) continue;
      const { client, upstream } = table.abandon(row);
      closeWithReset(client);
      if (upstream !== -1) closeWithReset(upstream);
      Atomics.sub(this.#shared.control, CONTROL.active, 1);
    }
    thread.ready.reject(error);
    this.#changed.resolve();
    this.#events.broken(error);
  }
}

/**
 * Takes a socket that listens already.
 *
 * @throws {Error} when it does not
 */
function inherited(descriptor: number): number {
  if (!isListening(descriptor)) {
    throw new Error(`descriptor ${descriptor} is no TCP socket that listens`);
  }
  adopt(descriptor);
  return descriptor;
}

async function listenAt({ host, port }: Exclude<ListenAt, { descriptor: number }>) {
  if (host !== null) {
    const { address } = await lookup(host);
    return listen({ host: address, port }, false, BACKLOG);
  }
  try {
    return listen({ host: "::", port }, true, BACKLOG);
  } catch (error) {
    // A system without IPv6.
    const lacking = [EAFNOSUPPORT, EADDRNOTAVAIL];
    if (!(error instanceof SystemError) || !lacking.includes(error.number)) throw error;
    return listen({ host: "0.0.0.0", port }, false, BACKLOG);
  }
}
