import type { Upstream } from "../upstream.ts";
import type { Crew } from "./crew.ts";
import { type Foundation, renamed, type Told } from "./moved.ts";
import { CONTROL, type SharedMemory } from "./shared.ts";

/**
 * The connections of a relay on their way from one process to another: most of what there is to know
 * of them is told while the first still serves them.
 */
export class Moving {
  readonly #crew: Crew;
  readonly #upstream: Upstream;
  readonly #shared: SharedMemory;
  readonly #sockets: Pick<Foundation, "listeners" | "isInherited">;

  constructor(
    crew: Crew,
    upstream: Upstream,
    shared: SharedMemory,
    sockets: Pick<Foundation, "listeners" | "isInherited">,
  ) {
    this.#crew = crew;
    this.#upstream = upstream;
    this.#shared = shared;
    this.#sockets = sockets;
  }

  /** What another process begins with, and how many descriptors the connections have, about. */
  get foundation(): Foundation & { readonly descriptors: number } {
    const { control } = this.#shared;
    const active = Atomics.load(control, CONTROL.active);
    const held = Atomics.load(control, CONTROL.waiting) + Atomics.load(control, CONTROL.suspended);
    const { listeners, isInherited } = this.#sockets;
    return { listeners, isInherited, expected: active + held, descriptors: 2 * active + held };
  }

  /**
   * Tells of connections, for another process that is to take them over, while they are served. What
   * has changed since is told when that is done again, and at last by {@linkcode freeze}.
   *
   * @param isFirst whether that process has not been told of any yet
   */
  copy(isFirst: boolean, tell: (told: Told) => void): Promise<void> {
    if (isFirst) this.#crew.expectReceiver();
    return this.#crew.copy((told) => tell(this.#named(told)));
  }

  /** Whoever has been told will not take them over. */
  forget(): void {
    this.#crew.expectReceiver();
    this.#crew.wake();
  }

  /** What is still to be told of those that are frozen, and the last id that one had. */
  get rest(): Told & { readonly lastId: number } {
    const { told, lastId } = this.#crew.frozen;
    return { ...this.#named(told), lastId };
  }

  /**
   * Is told of connections that another process still serves.
   *
   * @throws {Error} when that does not go with what was told before
   */
  take(told: Told): void {
    this.#crew.take(renamed(told, (target) => this.#upstream.numberOf(target)));
  }

  /** Resolves when all has been taken that was told. */
  taken(): Promise<void> {
    return this.#crew.taken();
  }

  /** How many connections have been taken that are not over. */
  get arrived(): number {
    return this.#crew.arrived;
  }

  #named(told: Told<number>): Told {
    return renamed(told, (target) => this.#upstream.nameOf(target));
  }
}
