/**
 * Tells another process of the connections of a thread, ahead, while the thread goes on serving them,
 * and of what has changed since once it is frozen: so that it is frozen for a moment only.
 *
 * From then on that process has copies of their sockets. So what is over here is ended for all who
 * have it, not only closed (see {@linkcode Connection.isShared}).
 *
 * @module
 */

import type { Connection } from "./connection.ts";
import type { Connections } from "./connections.ts";
import type { Copied } from "./messages.ts";
import type { Arrived, Changed, Told } from "./moved.ts";
import type { Serving } from "./serving.ts";
import { CONTROL, type SharedMemory } from "./shared.ts";
import type { SharedSockets } from "./shared_sockets.ts";
import type { Table } from "./table.ts";

/** How many connections are looked at before those that speak have their turn. */
const A_TURN = 64;

/** What the other process knows of a connection. */
interface Copy {
  readonly connection: Connection;
  /** Of which sockets, see {@linkcode Connection.changes}. */
  readonly changes: number;
  readonly told: Arrived;
}

/** What is about to be told. */
interface Telling {
  readonly ended: number[];
  readonly connections: Arrived[];
  readonly changed: Changed<number>[];
}

/** Tells of the connections of a thread. */
export class Copying {
  readonly #connections: Connections;
  readonly #table: Table;
  readonly #serving: Serving;
  readonly #sockets: SharedSockets;
  /** To whom, as the main thread counts them. */
  #receiver = 0;
  #round = 0;
  /** Which row is next; `Infinity` if nothing is to be told. */
  #next = Infinity;
  /** By their ids. */
  readonly #copies = new Map<number, Copy>();

  constructor(connections: Connections, table: Table, serving: Serving, sockets: SharedSockets) {
    this.#connections = connections;
    this.#table = table;
    this.#serving = serving;
    this.#sockets = sockets;
  }

  /** Whether there is more to be told. */
  get isOn(): boolean {
    return this.#next < Infinity;
  }

  /** Begins another round, if the main thread asks for one; forgets whom it does not tell any more. */
  obey({ control }: SharedMemory): void {
    this.#tellTo(Atomics.load(control, CONTROL.receiver));
    const round = Atomics.load(control, CONTROL.copies);
    if (round === this.#round) return;
    this.#round = round;
    // What was told before has been sent.
    this.#sockets.sent();
    this.#sockets.telling();
    this.#next = 0;
  }

  /** Tells some more of those that are not in the middle of something. */
  goOn(): Copied {
    const telling: Telling = { ended: [], connections: [], changed: [] };
    const end = Math.min(this.#next + A_TURN, this.#connections.rows);
    for (let row = this.#next; row < end; row++) {
      const connection = this.#connections.at(row);
      const { client, attempt, failure } = connection;
      if (client !== -1 && attempt === null && failure === null) {
        this.#tell(connection, telling, false);
      }
    }
    const isLast = end === this.#connections.rows;
    if (isLast) this.#tellEnded(telling);
    this.#next = isLast ? Infinity : end;
    return { round: this.#round, told: telling, isLast };
  }

  /** All that is still to be told, of a thread that is frozen; and the last id that one had. */
  rest({ control }: SharedMemory): { readonly told: Told<number>; readonly lastId: number } {
    this.#tellTo(Atomics.load(control, CONTROL.receiver));
    this.#sockets.sent();
    this.#next = Infinity;
    const telling: Telling = { ended: [], connections: [], changed: [] };
    for (const connection of this.#connections) this.#tell(connection, telling, true);
    this.#tellEnded(telling);
    return { told: telling, lastId: this.#connections.lastId };
  }

  /** Nothing more is told. */
  end(): void {
    this.#sockets.sent();
  }

  #tellTo(receiver: number): void {
    if (receiver === this.#receiver) return;
    this.#receiver = receiver;
    this.#next = Infinity;
    this.#sockets.sent();
    this.#copies.clear();
  }

  /** @param isFrozen whether what is in flight is told as well */
  #tell(connection: Connection, telling: Telling, isFrozen: boolean): void {
    const id = this.#table.id(connection.row);
    const copy = this.#copies.get(id);
    const isStale = copy !== undefined && copy.changes !== connection.changes;
    if (copy !== undefined && !isStale && this.#isAsTold(connection, copy.told)) return;
    const told = this.#describe(connection, isFrozen);
    if (isStale) telling.ended.push(id);
    if (copy === undefined || isStale) telling.connections.push(told);
    else telling.changed.push(withoutSockets(told));
    connection.isShared = true;
    this.#copies.set(id, { connection, changes: connection.changes, told });
  }

  #tellEnded({ ended }: Telling): void {
    for (const [id, { connection }] of this.#copies) {
      if (this.#table.id(connection.row) === id) continue;
      this.#copies.delete(id);
      ended.push(id);
    }
  }

  /** Whether all that the other process needs to know is what it knows. */
  #isAsTold(connection: Connection, told: Arrived): boolean {
    const { row, up, down, talk, header, failure, attempt } = connection;
    const { lastByteAt, bytesUp, bytesDown } = this.#table.moved(row);
    return attempt === null && failure === null && up.isPlain && down.isPlain &&
      lastByteAt === told.lastByteAt && bytesUp === told.bytesUp &&
      bytesDown === told.bytesDown && talk.isAs(told.talk) && header === told.header &&
      connection.heldSince === told.heldSince && connection.wasServed === told.wasServed &&
      (told.endedAt ?? Infinity) === connection.endedAt;
  }

  #describe(connection: Connection, isFrozen: boolean): Arrived {
    const { row, client, upstream, up, down, attempt, endedAt, heldSince } = connection;
    const { wasServed, target, talk, header } = connection;
    return {
      ...this.#table.moved(row),
      client,
      // One that is being connected is connected anew.
      upstream: attempt === null ? upstream : -1,
      heldSince,
      wasServed,
      target,
      header,
      talk: talk.moved,
      endedAt: endedAt === Infinity ? null : endedAt,
      up: isFrozen ? up.moved : null,
      down: isFrozen ? down.moved : null,
      failed: isFrozen ? this.#serving.moved(connection) : undefined,
    };
  }
}

function withoutSockets({ client: _, upstream: __, ...rest }: Arrived): Changed<number> {
  return rest;
}
