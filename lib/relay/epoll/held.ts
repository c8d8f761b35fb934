import type { Connection } from "./connection.ts";
import { CONTROL, type SharedMemory } from "./shared.ts";

/**
 * Clients who are held by one thread: we have their sockets, and none to the service. They are not
 * read, so that what they send stays in the kernel, whole, for the service that will get it.
 */
export class HeldClients {
  readonly #shared: SharedMemory;
  /** In the order in which they began to wait. */
  readonly #clients = new Set<Connection>();
  /** Those among them who are to be served as soon as there is room, in that order. */
  readonly #line = new Set<Connection>();

  /** @param shared where those of all threads are counted */
  constructor(shared: SharedMemory) {
    this.#shared = shared;
  }

  /** In the order in which they began to wait; who is removed meanwhile is left out. */
  [Symbol.iterator](): Iterator<Connection> {
    return this.#clients.values();
  }

  /** Those who are to be served, in that order; who is removed meanwhile is left out. */
  get line(): ReadonlySet<Connection> {
    return this.#line;
  }

  /** Whether somebody is to be served of those whom any thread holds. */
  get isAnybodyInLine(): boolean {
    return Atomics.load(this.#shared.control, CONTROL.line) > 0;
  }

  /** One more waits from now on. @param since since when it does, on the clock */
  add(connection: Connection, since: number): void {
    Atomics.add(this.#shared.control, counterOf(connection), 1);
    this.addCounted(connection, since);
  }

  /** As {@linkcode add}, for one that is counted already. */
  addCounted(connection: Connection, since: number): void {
    connection.heldSince = since;
    this.#clients.add(connection);
  }

  /** One is to be served. */
  lineUp(connection: Connection): void {
    if (this.#line.has(connection)) return;
    this.#line.add(connection);
    Atomics.add(this.#shared.control, CONTROL.line, 1);
  }

  /** Nobody is to be served any more: they are held again. */
  clearLine(): void {
    for (const connection of this.#line) this.#leaveLine(connection);
  }

  /** One waits no more: it has left, or is to be served. */
  remove(connection: Connection): void {
    if (!this.#clients.delete(connection)) return;
    this.#leaveLine(connection);
    connection.heldSince = null;
    Atomics.sub(this.#shared.control, counterOf(connection), 1);
  }

  #leaveLine(connection: Connection): void {
    if (this.#line.delete(connection)) Atomics.sub(this.#shared.control, CONTROL.line, 1);
  }
}

function counterOf({ wasServed }: Connection): number {
  return wasServed ? CONTROL.suspended : CONTROL.waiting;
}
