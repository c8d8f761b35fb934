import { ANSWER, CLIENT, INFORMATIONAL } from "../conversation.ts";
import { type Connection, FREE } from "./connection.ts";
import type { Connections } from "./connections.ts";
import { type Direction, received } from "./direction.ts";
import type { LettingGo } from "./letting_go.ts";
import type { Pace } from "./pace.ts";
import type { Table } from "./table.ts";
import type { Turn } from "./turn.ts";

/** What account is kept with. */
export interface AccountingParts {
  readonly turn: Turn;
  readonly table: Table;
  readonly pace: Pace;
  readonly connections: Connections;
}

/** Keeps account of what the connections of a thread carry: how much, and who spoke when. */
export class Accounting {
  readonly #parts: AccountingParts;
  readonly #lettingGo: LettingGo;

  constructor(parts: AccountingParts, lettingGo: LettingGo) {
    this.#parts = parts;
    this.#lettingGo = lettingGo;
  }

  /** So many bytes of the client's have been read, since it was asked last. */
  clientSpoke(connection: Connection, up: Direction): void {
    const { table } = this.#parts;
    const { row, talk, down } = connection;
    table.addUp(row, up.bytes);
    if (talk.turn === CLIENT && !up.looks) return;
    talk.clientSpoke(up.looks ? received : null, up.bytes);
    up.looks = talk.looksAtClient;
    down.looks = true;
    if (talk.tie === null) return;
    table.setTie(row, talk.tie);
    this.#lettingGo.free(connection);
  }

  /**
   * As {@linkcode clientSpoke}, of the service's; to be told before it is noted that they moved.
   *
   * @param wasKeptWaiting whether the service could not be read before, because of a slow client
   */
  serviceSpoke(connection: Connection, down: Direction, wasKeptWaiting: boolean): void {
    const { turn, table } = this.#parts;
    const { row, talk } = connection;
    table.addDown(row, down.bytes);
    if (down.looks) this.#serviceBegan(connection, down);
    else if (!wasKeptWaiting && !turn.isCatchingUp) {
      const isLonger = talk.serviceWentOn(turn.time - table.lastByteAt(row));
      if (isLonger) table.setUnasked(row, talk.longestUnasked);
    }
    if (this.#lettingGo.isOn) this.#lettingGo.spoke(connection);
  }

  /** One of the directions has ended. */
  ended({ row, talk }: Connection): void {
    talk.end();
    if (talk.tie !== null) this.#parts.table.setTie(row, talk.tie);
  }

  /** A client that was held is with its service: another one may come. */
  arrived(connection: Connection): void {
    const { pace, connections } = this.#parts;
    if (pace.end(connection)) connections.makeRoom();
  }

  #serviceBegan(connection: Connection, down: Direction): void {
    const { row, talk } = connection;
    const kind = talk.serviceBegan(received, down.bytes);
    down.looks = kind === INFORMATIONAL;
    if (talk.tie !== null) this.#parts.table.setTie(row, talk.tie);
    // What is no answer yet, or more than that, the client may have to answer first.
    const goesOn = kind !== ANSWER || talk.tie !== null;
    if (goesOn && connection.exchange !== FREE) this.#lettingGo.free(connection);
    if (connection.isOnItsWay) this.arrived(connection);
  }
}
