import { hasPeer, hasUnread } from "../../linux/socket.ts";
import type { Acceptor } from "./acceptor.ts";
import type { Connection } from "./connection.ts";
import type { Connections } from "./connections.ts";
import type { Connector } from "./connector.ts";
import { isGone } from "./gone.ts";
import type { Headers } from "./headers.ts";
import type { HeldClients } from "./held.ts";
import type { Assignment } from "./messages.ts";
import type { Arrived } from "./moved.ts";
import type { Pace } from "./pace.ts";
import type { Reporting } from "./reporting.ts";
import { CONNECTING, QUEUED, SUSPENDED, type Table } from "./table.ts";
import type { Timers } from "./timers.ts";
import type { Turn } from "./turn.ts";

/** What clients are held with. */
export interface HoldingParts {
  readonly turn: Turn;
  readonly assignment: Pick<
    Assignment,
    "abortOnClose" | "connectTimeout" | "keepAlive" | "userTimeout"
  >;
  readonly table: Table;
  readonly timers: Timers;
  readonly headers: Headers;
  readonly held: HeldClients;
  readonly pace: Pace;
  readonly connections: Connections;
  readonly reporting: Reporting;
}

/** Has clients of a thread wait that are not connected to the service, and lets them go on. */
export class Holding {
  readonly #parts: HoldingParts;
  readonly #connector: Connector;
  readonly #places: Pick<Acceptor, "reserve" | "giveBack" | "waitForRoom">;
  /** Whether those who want to be served have to wait for somebody to allow that. */
  #holds = true;

  /** @param places for active connections */
  constructor(
    parts: HoldingParts,
    connector: Connector,
    places: Pick<Acceptor, "reserve" | "giveBack" | "waitForRoom">,
  ) {
    this.#parts = parts;
    this.#connector = connector;
    this.#places = places;
  }

  /** Whether those who want to be served are all being served: newcomers may come. */
  get isLineEmpty(): boolean {
    return this.#parts.held.line.size === 0;
  }

  /** Holds those that are being connected, and will be: nothing that they said has been passed on. */
  begin(): void {
    const { turn, assignment, connections, held, table } = this.#parts;
    held.clearLine();
    for (const connection of held) {
      connection.isNewcomer = false;
      connection.watchClient(assignment);
    }
    // Who has waited for room until now is held by this hold from now on.
    if (!this.#holds) {
      for (const { row, wasServed } of held) if (!wasServed) table.hold(row, QUEUED, turn.time);
    }
    this.#holds = true;
    const connecting = [...connections].filter(({ attempt, upstream }) =>
      // One that is connected, and whose event is still to come, the service knows already.
      attempt !== null && (upstream === -1 || !hasPeer(upstream))
    );
    const id = ({ row }: Connection) => table.id(row);
    for (const connection of connecting.sort((one, other) => id(one) - id(other))) {
      this.hold(connection);
    }
  }

  /** Has those served who want to be, in the order in which they began to wait. */
  end(): void {
    if (!this.#holds) return;
    this.#holds = false;
    for (const connection of this.#parts.held) {
      if (connection.awaitsHeader) this.#setTimer(connection);
      this.#lineUp(connection);
    }
  }

  /** One could not be connected so far. */
  notConnected(connection: Connection): void {
    if (this.#holds) this.hold(connection);
  }

  /** Has a client wait that was active, and is not connected to the service. */
  hold(connection: Connection): void {
    this.#connector.stop(connection);
    if (this.#parts.pace.end(connection)) this.#parts.connections.makeRoom();
    // First: there is never nobody while there is somebody.
    this.add(connection, this.#parts.turn.time);
    this.#parts.connections.leaveActive();
  }

  /**
   * Has a client wait that is not active.
   *
   * @param since since when it does, on the clock
   * @param isNewcomer whether it waits for nothing but its header
   */
  add(connection: Connection, since: number, isNewcomer = false): void {
    const { assignment, table, held } = this.#parts;
    const { row, wasServed } = connection;
    connection.isNewcomer = isNewcomer;
    const mayStay = !isNewcomer || assignment.connectTimeout === Infinity;
    if (mayStay) connection.watchClient(assignment);
    this.#setTimer(connection);
    table.hold(row, wasServed ? SUSPENDED : QUEUED, since);
    held.add(connection, since);
    if (!this.#holds) this.#lineUp(connection);
  }

  /** Holds those that were held, or being connected, in another process; they are counted already. */
  goOn(arrivals: readonly { readonly connection: Connection; readonly moved: Arrived }[]): void {
    const { turn, assignment, held } = this.#parts;
    const waiting = arrivals.map(({ connection, moved: { heldSince } }) => ({
      connection,
      since: heldSince ?? turn.time,
    }));
    waiting.sort((one, other) => one.since - other.since);
    for (const { connection, since } of waiting) {
      connection.watchClient(assignment);
      held.addCounted(connection, since);
    }
  }

  /** Something happened to a client that is held. */
  noticed(connection: Connection): void {
    if (this.hasLeft(connection)) return;
    if (!this.#holds) this.#lineUp(connection);
    else if (connection.awaitsHeader) this.#takeHeader(connection);
  }

  /** The timer of a client that is held has run out. */
  timeIsUp(connection: Connection): void {
    if (connection.awaitsHeader && !this.#holds) {
      this.#refuse(connection, "it has not come within the connect timeout");
    }
  }

  /**
   * Serves those who want to be served, in the order in which they began to wait, as long as there is
   * room.
   */
  serve(): void {
    const { turn, held, pace, connections, reporting } = this.#parts;
    if (held.line.size === 0) return;
    for (const connection of held.line) {
      if (!pace.hasRoom) return;
      if (this.hasLeft(connection)) continue;
      if (!this.#places.reserve()) return this.#places.waitForRoom(0);
      const { heldSince, wasServed, isNewcomer } = connection;
      if (!this.#start(connection)) return;
      // How long one has waited who was silent itself is nobody's fault.
      if (!wasServed && !isNewcomer) reporting.released(turn.time - (heldSince ?? turn.time));
      pace.begin(connection);
    }
    // Other threads may wait for the end of this line.
    connections.makeRoom();
  }

  /** Resets those that are held. */
  cut(): void {
    const { held, connections } = this.#parts;
    for (const connection of held) connections.cut(connection, "stopped");
  }

  /** Closes those in peace who have nothing to ask for. */
  dismiss(): void {
    const { held, connections } = this.#parts;
    for (const connection of held) {
      if (held.line.has(connection) || connection.awaitsHeader) continue;
      connections.close(connection, "stopped");
    }
  }

  /** Whether a client that was held has left: then it need not trouble the service, and is dropped. */
  hasLeft(connection: Connection): boolean {
    if (!isGone(connection.client, this.#parts.assignment.abortOnClose)) return false;
    this.#parts.connections.close(connection, "client_left");
    return true;
  }

  #lineUp(connection: Connection): void {
    const { held, connections } = this.#parts;
    if (connection.awaitsHeader && !this.#takeHeader(connection)) return;
    // Who was served waits for nothing but what it asks for.
    if (connection.wasServed && !hasUnread(connection.client)) return;
    const mayComeAtOnce = connection.isNewcomer && !held.isAnybodyInLine;
    if (mayComeAtOnce && this.#places.reserve() && this.#start(connection)) return;
    held.lineUp(connection);
    connections.makeRoom();
  }

  /** Begins to connect one that has a place. @returns whether it could; if not, the place is free */
  #start(connection: Connection): boolean {
    const { table, held, connections } = this.#parts;
    this.#connector.start(connection);
    if (connection.attempt === null) {
      this.#places.giveBack();
      return false;
    }
    connections.becomeActive();
    held.remove(connection);
    table.setState(connection.row, CONNECTING);
    return true;
  }

  /**
   * Takes the header that a client begins with, if it is there.
   *
   * @returns whether it was, and the client is
   */
  #takeHeader(connection: Connection): boolean {
    const { headers, connections } = this.#parts;
    const header = headers.take(connection.client);
    if (header === null) return false;
    if (typeof header === "string") {
      this.#refuse(connection, header);
      return false;
    }
    connections.identify(connection, header.endpoints);
    return !this.hasLeft(connection);
  }

  /** Resets a client because of its header. */
  #refuse(connection: Connection, why: string): void {
    const { turn, table, connections, reporting } = this.#parts;
    reporting.badHeader(table.snapshot(connection.row, turn.time, "")?.peer ?? "unknown", why);
    connections.cut(connection, "bad_header");
  }

  /** While it holds, a client has all the time. */
  #setTimer({ row, awaitsHeader }: Connection): void {
    const { timers, turn, assignment: { connectTimeout } } = this.#parts;
    timers.set(row, awaitsHeader && !this.#holds ? turn.time + connectTimeout : Infinity);
  }
}
