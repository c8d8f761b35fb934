import type { Told } from "./moved.ts";

/** Which thread goes on with which connection of another process: each with as many as the others. */
export class Placing {
  readonly #threads: number;
  /** In which thread is which id. */
  readonly #places = new Map<number, number>();
  #next = 0;

  constructor(threads: number) {
    this.#threads = threads;
  }

  /** How many connections there are. */
  get size(): number {
    return this.#places.size;
  }

  /**
   * What of it each thread is to be told; `null` for nothing.
   *
   * @throws {Error} when it does not go with what was told before
   */
  divide({ ended, connections, changed }: Told<number>): (Told<number> | null)[] {
    const parts = Array.from({ length: this.#threads }, () => ({
      ended: [] as number[],
      connections: [] as Told<number>["connections"][number][],
      changed: [] as Told<number>["changed"][number][],
    }));
    for (const id of ended) {
      parts[this.#placeOf(id)]?.ended.push(id);
      this.#places.delete(id);
    }
    for (const connection of connections) {
      const { id } = connection;
      if (this.#places.has(id)) throw new Error(`connection ${id} has been told of before`);
      this.#places.set(id, this.#next);
      parts[this.#next]?.connections.push(connection);
      this.#next = (this.#next + 1) % this.#threads;
    }
    for (const change of changed) parts[this.#placeOf(change.id)]?.changed.push(change);
    return parts.map((part) =>
      part.ended.length + part.connections.length + part.changed.length > 0 ? part : null
    );
  }

  #placeOf(id: number): number {
    const place = this.#places.get(id);
    if (place === undefined) throw new Error(`connection ${id} has not been told of`);
    return place;
  }
}
