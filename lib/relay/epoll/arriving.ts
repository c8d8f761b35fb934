/**
 * The connections that a thread goes on with, as they arrive from another process; until that
 * process has given them up, nothing is done with their sockets.
 *
 * @module
 */

import { isShutDown } from "../../linux/tcp_info.ts";
import type { Connection } from "./connection.ts";
import type { Connections } from "./connections.ts";
import type { Holding } from "./holding.ts";
import type { Arrived, Told } from "./moved.ts";
import type { Reporting } from "./reporting.ts";
import type { Serving } from "./serving.ts";
import { CONTROL, type SharedMemory } from "./shared.ts";

/**
 * When connections that have arrived are looked after first, in milliseconds; and in how many turns,
 * and how far apart, since there is something to be done for each.
 */
const FIRST_LOOK = 1000;
const LOOKS = 128;
const A_LOOK = 8;

/** One that has arrived. */
interface Arrival {
  readonly connection: Connection;
  readonly moved: Arrived;
  /** Whether events of its sockets are waited for. */
  readonly isWatched: boolean;
}

/** The connections that have arrived, by their ids. */
export class Arriving {
  readonly #connections: Connections;
  readonly #holding: Holding;
  readonly #serving: Serving;
  readonly #arrivals = new Map<number, Arrival>();

  constructor(connections: Connections, holding: Holding, serving: Serving) {
    this.#connections = connections;
    this.#holding = holding;
    this.#serving = serving;
  }

  /** Takes what was told, and says so. */
  take({ ended, connections, changed }: Told<number>, reporting: Reporting): void {
    for (const id of ended) this.#drop(this.#arrival(id));
    for (const moved of connections) {
      const connection = this.#connections.restore(moved);
      // What happens before it is served, is found when it is.
      const isWatched = this.#watch(connection);
      const firstLook = FIRST_LOOK + connection.row % LOOKS * A_LOOK;
      if (connection.upstream !== -1) this.#serving.lookAfterIn(connection, firstLook);
      this.#arrivals.set(moved.id, { connection, moved, isWatched });
    }
    for (const change of changed) {
      const { connection, isWatched, moved: { client, upstream } } = this.#arrival(change.id);
      const moved = { ...change, client, upstream };
      this.#connections.restore(moved, connection);
      this.#arrivals.set(change.id, { connection, moved, isWatched });
    }
    reporting.report.taken = true;
    reporting.send();
  }

  /** Counts them: there will be no more. */
  count({ control }: SharedMemory): void {
    let [active, waiting, suspended] = [0, 0, 0];
    for (const { moved: { upstream, wasServed } } of this.#arrivals.values()) {
      if (upstream !== -1) active++;
      else if (wasServed) suspended++;
      else waiting++;
    }
    Atomics.add(control, CONTROL.active, active);
    Atomics.add(control, CONTROL.taken, active);
    Atomics.add(control, CONTROL.waiting, waiting);
    Atomics.add(control, CONTROL.suspended, suspended);
  }

  /** Starts to serve them; those that were not connected are held. */
  goOn(): void {
    if (this.#arrivals.size === 0) return;
    const arrivals = [...this.#arrivals.values()];
    this.#arrivals.clear();
    this.#holding.goOn(arrivals.filter(({ connection }) => connection.upstream === -1));
    for (const { connection, moved: { failed }, isWatched } of arrivals) {
      // Should there be no memory for one of them, the others must not suffer.
      if (!isWatched && !this.#watch(connection)) this.#connections.cut(connection, "client_reset");
      else if (failed !== undefined) this.#serving.goOn(connection, failed);
    }
  }

  /** The process that had them has died. What it had ended before that is not to be cut. */
  abandon(): void {
    for (const { connection } of this.#arrivals.values()) {
      const { client, upstream } = connection;
      const isOver = isShutDown(client) && (upstream === -1 || isShutDown(upstream));
      if (isOver) this.#connections.forget(connection);
    }
    this.#arrivals.clear();
  }

  #arrival(id: number): Arrival {
    const arrival = this.#arrivals.get(id);
    if (arrival === undefined) throw new Error(`connection ${id} has not been told of`);
    return arrival;
  }

  #watch(connection: Connection): boolean {
    const serving = this.#serving;
    const isWatched = serving.watchClient(connection) &&
      (connection.upstream === -1 || serving.watchUpstream(connection));
    // Or it could not be tried again.
    if (!isWatched) serving.unwatch(connection);
    return isWatched;
  }

  /** It is over, there: this copy says nothing more to anybody. */
  #drop({ connection, moved: { id } }: Arrival): void {
    this.#arrivals.delete(id);
    this.#serving.unwatch(connection);
    this.#connections.forget(connection);
  }
}
