import { libc } from "../../linux/libc.ts";
import { closeWithReset, peerName } from "../../linux/socket.ts";
import { encode } from "../../linux/socket_address.ts";
import type { Endpoints } from "../proxy_protocol.ts";
import { CLOSE_REASONS, type CloseReason, type Connection as ConnectionView } from "../relay.ts";
import { Connection } from "./connection.ts";
import type { Headers } from "./headers.ts";
import type { HeldClients } from "./held.ts";
import type { Arrived } from "./moved.ts";
import type { Pace } from "./pace.ts";
import type { Pipes } from "./pipes.ts";
import type { Reporting } from "./reporting.ts";
import { CONTROL, OPEN, type SharedMemory } from "./shared.ts";
import type { SharedSockets } from "./shared_sockets.ts";
import { type Table, UNKNOWN } from "./table.ts";
import type { Timers } from "./timers.ts";
import type { Turn } from "./turn.ts";

/** What the connections of a thread are counted, timed and told with. */
export interface ConnectionsParts {
  readonly turn: Turn;
  readonly shared: SharedMemory;
  readonly sharedSockets: SharedSockets;
  readonly table: Table;
  readonly timers: Timers;
  readonly pipes: Pipes;
  readonly headers: Headers;
  readonly held: HeldClients;
  readonly pace: Pace;
  readonly reporting: Reporting;
  /** Whether to tell of each connection. */
  readonly tellEach: boolean;
  /** How many threads there are: each gives every so manieth id. */
  readonly threads: number;
}

/** The connections of a thread, by row; a row is used again and again, and so is its connection. */
export class Connections implements Iterable<Connection> {
  /** Whether there may be room by now for somebody who waits for that. */
  madeRoom = false;
  readonly #parts: ConnectionsParts;
  readonly #connections: Connection[] = [];
  readonly #freeRows: number[] = [];
  /** The last id that one was given. */
  lastId = 0;
  /** How many were active when it was told that there is no room for more. */
  #fullAt = Infinity;

  constructor(parts: ConnectionsParts) {
    this.#parts = parts;
  }

  /** How many rows have been in use at the same time, at the most. */
  get rows(): number {
    return this.#connections.length;
  }

  /** The connection of a row, which may be free by now. */
  at(row: number): Connection {
    return this.#connections[row] as Connection;
  }

  /** Those whose rows are in use. */
  *[Symbol.iterator](): Generator<Connection> {
    for (const connection of this.#connections) if (connection.client !== -1) yield connection;
  }

  /** An active one begins, with a client that has just been accepted. @param peer as the kernel gave it */
  begin(client: number, peer: Uint8Array): Connection {
    this.becomeActive();
    return this.beginHeld(client, peer);
  }

  /** As {@linkcode begin}, but for one that is held at first. */
  beginHeld(client: number, peer: Uint8Array): Connection {
    const { turn, table, headers, tellEach } = this.#parts;
    const connection = this.#free();
    const { row } = connection;
    this.lastId += this.#parts.threads;
    connection.begin(client, turn.number);
    table.begin(row, this.lastId, client, turn.time, peer);
    connection.awaitsHeader = headers.isExpectedFrom(peer);
    // Whose it is, its header says.
    if (tellEach && !connection.awaitsHeader) this.#tellOpened(row);
    return connection;
  }

  /** The header that one begins with has been taken. @param header what it says; `null` for nothing */
  identify(connection: Connection, header: Endpoints | null): void {
    connection.awaitsHeader = false;
    connection.header = header;
    if (header !== null) this.#parts.table.setPeerName(connection.row, encode(header.source));
    if (this.#parts.tellEach) this.#tellOpened(connection.row);
  }

  /** One whose row is free. */
  #free(): Connection {
    const row = this.#freeRows.pop() ?? this.#connections.length;
    return this.#connections[row] ??= new Connection(row);
  }

  /**
   * Goes on with one of another process; it is counted already.
   *
   * @param known what it was restored to before, if it was: then its sockets are the same
   * @throws {Error} when there are more of them than this thread can have
   */
  restore(moved: Arrived, known?: Connection): Connection {
    const { table, headers } = this.#parts;
    const { client, upstream, wasServed, header } = moved;
    const connection = known ?? this.#free();
    if (connection.row >= table.rows) throw new Error("there are too many connections");
    const awaitedHeader = known?.awaitsHeader ?? true;
    connection.restore(moved);
    const peer = known === undefined ? peerName(client) ?? UNKNOWN : null;
    // Of who was never served nothing has been read, unless it was that.
    const mayAwait = awaitedHeader && upstream === -1 && !wasServed && header === undefined;
    connection.awaitsHeader = mayAwait && (peer === null || headers.isExpectedFrom(peer));
    table.restore(connection.row, moved, header ? encode(header.source) : peer);
    return connection;
  }

  /** One that was restored is over, in the other process: it counts there. */
  forget(connection: Connection): void {
    const { client, upstream, row } = connection;
    libc.close(client);
    if (upstream !== -1) libc.close(upstream);
    const { pipes, timers, table } = this.#parts;
    connection.end(pipes);
    timers.set(row, Infinity);
    table.clear(row);
    this.#freeRows.push(row);
  }

  /** Ends one with a reset on both sides. */
  cut(connection: Connection, reason: CloseReason): void {
    const { client, upstream } = connection;
    if (client === -1) return;
    if (upstream !== -1) this.#resetSocket(connection, upstream);
    this.#resetSocket(connection, client);
    this.#over(connection, reason);
  }

  /** Closes the sockets of one, to which nothing else is left to be said. */
  close(connection: Connection, reason: CloseReason): void {
    const { client, upstream } = connection;
    this.closeSocket(connection, client);
    if (upstream !== -1) this.closeSocket(connection, upstream);
    this.#over(connection, reason);
  }

  /** Closes one of the sockets of one. */
  closeSocket({ isShared }: Connection, descriptor: number): void {
    if (isShared) this.#parts.sharedSockets.close(descriptor);
    else libc.close(descriptor);
  }

  #resetSocket({ isShared }: Connection, descriptor: number): void {
    if (isShared) this.#parts.sharedSockets.reset(descriptor);
    else closeWithReset(descriptor);
  }

  /** Cuts those that the main thread wishes to be cut. */
  cutWished(): void {
    for (const connection of this) {
      const reason = CLOSE_REASONS[this.#parts.table.wishedCut(connection.row)];
      if (reason !== undefined) this.cut(connection, reason);
    }
  }

  /**
   * Cuts active ones on which no byte has moved for so many milliseconds.
   *
   * @param reason as an index of {@linkcode CLOSE_REASONS}
   * @returns those, as they were just before
   */
  cutIdle(limit: number, reason: number): ConnectionView[] {
    const { turn, table } = this.#parts;
    const cut: ConnectionView[] = [];
    for (const connection of this) {
      if (connection.heldSince !== null) continue;
      const { row } = connection;
      const idle = Math.max(0, turn.asOf - table.lastByteAt(row));
      if (idle < limit || limit > 0 && connection.hasAnswer) continue;
      const asItWas = table.snapshot(row, turn.asOf, "");
      if (asItWas !== null) cut.push(asItWas);
      this.cut(connection, CLOSE_REASONS[reason] as CloseReason);
    }
    return cut;
  }

  /**
   * What happened to them in this turn may have happened only now: the process stood still in the
   * middle of it.
   */
  catchUp(now: number): void {
    const { turn, table } = this.#parts;
    for (const connection of this) {
      if (table.lastByteAt(connection.row) === turn.time) table.touch(connection.row, now);
      if (connection.endedAt === turn.time) connection.endedAt = now;
    }
    turn.time = now;
  }

  /** One is active from now on. */
  becomeActive(): void {
    Atomics.add(this.#parts.shared.control, CONTROL.active, 1);
  }

  /** One is active no more, and gives its place back. */
  leaveActive(): void {
    const { turn, table, reporting, shared: { control } } = this.#parts;
    Atomics.sub(control, CONTROL.taken, 1);
    // First: who sees that none is active asks since when.
    table.lastActiveAt = turn.time;
    const left = Atomics.sub(control, CONTROL.active, 1) - 1;
    if (left === 0 && Atomics.load(control, CONTROL.mode) !== OPEN) {
      reporting.report.noneActive = true;
    }
    if (left < 3 / 4 * this.#fullAt) this.#fullAt = Infinity;
    this.makeRoom();
  }

  /** There may be room by now, if somebody waits for that. */
  makeRoom(): void {
    const { held, shared: { control } } = this.#parts;
    if (held.line.size > 0 || Atomics.load(control, CONTROL.crowded) > 0) this.madeRoom = true;
  }

  /** There is no room for more. @param error why, as a number; 0 for the limit for connections */
  full(error: number): void {
    // Not again with each connection that comes and goes.
    if (this.#fullAt < Infinity) return;
    this.#fullAt = Atomics.load(this.#parts.shared.control, CONTROL.active);
    this.#parts.reporting.report.full = { active: this.#fullAt, error };
  }

  #over(connection: Connection, reason: CloseReason): void {
    const { row } = connection;
    const { table, timers, pipes, held, pace, tellEach } = this.#parts;
    if (tellEach) this.#tellClosed(row, reason);
    const wasHeld = connection.heldSince !== null;
    if (wasHeld) held.remove(connection);
    pace.end(connection);
    connection.end(pipes);
    timers.set(row, Infinity);
    table.end(row, CLOSE_REASONS.indexOf(reason));
    this.#freeRows.push(row);
    if (wasHeld) this.makeRoom();
    else this.leaveActive();
  }

  #tellOpened(row: number): void {
    const { table, turn, reporting } = this.#parts;
    const connection = table.snapshot(row, turn.time, "");
    if (connection !== null) reporting.opened(connection);
  }

  #tellClosed(row: number, reason: CloseReason): void {
    const { table, turn, reporting } = this.#parts;
    const connection = table.snapshot(row, turn.time, "");
    if (connection !== null) reporting.closed(connection, reason);
  }
}
