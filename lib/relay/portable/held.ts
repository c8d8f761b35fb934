import type { Released } from "../relay.ts";
import type { PortableConnection } from "./connection.ts";

/** How long one that is connected counts as on its way, unless it is answered, in milliseconds. */
const LONGEST_WAY = 100;

/** Clients that are held, in the order in which they began to be, and those who may go on. */
export class HeldClients {
  #all = new Set<PortableConnection>();
  /** Those who wait for their turn; nobody does while the relay holds. */
  readonly #line = new Set<PortableConnection>();
  /** Those on their way, each with what ends that. */
  readonly #onTheirWay = new Map<PortableConnection, ReturnType<typeof setTimeout> | null>();
  readonly #most: number;
  readonly #arrived: () => void;

  /**
   * @param most how many may be on their way to the service at once
   * @param arrived is called when there is room for another on the way
   */
  constructor(most: number, arrived: () => void) {
    this.#most = most;
    this.#arrived = arrived;
  }

  [Symbol.iterator](): Iterator<PortableConnection> {
    return this.#all.values();
  }

  /** How many are held. */
  get count(): number {
    return this.#all.size;
  }

  /** How many of them have been served before. */
  get suspended(): number {
    let count = 0;
    for (const { isSuspended } of this.#all) if (isSuspended) count++;
    return count;
  }

  /** Whether somebody is to be served, as soon as there is room. */
  get hasLine(): boolean {
    return this.#line.size > 0;
  }

  /** Whether it is held. */
  has(connection: PortableConnection): boolean {
    return this.#all.has(connection);
  }

  /** Holds one, behind all others. */
  add(connection: PortableConnection): void {
    this.#all.add(connection);
  }

  /** Nobody goes on; holds some who were to be served already, before all others. */
  stop(first: Iterable<PortableConnection>): void {
    this.#line.clear();
    for (const timer of this.#onTheirWay.values()) if (timer !== null) clearTimeout(timer);
    this.#onTheirWay.clear();
    this.#all = new Set([...first, ...this.#all]);
    for (const { header } of this.#all) header?.hold();
  }

  /** For how many milliseconds the one has waited to be served that has waited the longest. */
  get longestHold(): number {
    const now = performance.now();
    return this.#waiting.reduce((longest, one) => Math.max(longest, one.waits(now)), 0);
  }

  get #waiting(): PortableConnection[] {
    return [...this.#all].filter(({ isWaiting, isOver }) => isWaiting && !isOver);
  }

  /** Has all those go on who want to be served. */
  goOn(): Released {
    const waiting = this.#waiting;
    for (const connection of waiting) this.#line.add(connection);
    for (const { header } of this.#all) header?.expect(false);
    return { held: waiting.length, longest: this.longestHold };
  }

  /** Has one go on, behind all others who do. */
  lineUp(connection: PortableConnection): void {
    this.#line.add(connection);
  }

  /**
   * Takes the one whose turn it is, if there is one and it may go; it is on its way then, if it was
   * held for more than its header.
   */
  next(): PortableConnection | undefined {
    if (this.#onTheirWay.size >= this.#most) return undefined;
    const [connection] = this.#line;
    if (connection === undefined) return undefined;
    this.remove(connection);
    if (!connection.header?.isNewcomers) this.#onTheirWay.set(connection, null);
    return connection;
  }

  /** One that may be on its way has got a service. */
  joined(connection: PortableConnection): void {
    if (!this.#onTheirWay.has(connection)) return;
    const timer = setTimeout(() => this.arrived(connection), LONGEST_WAY);
    this.#onTheirWay.set(connection, timer);
  }

  /** One that may be on its way has been answered, or is over. */
  arrived(connection: PortableConnection): void {
    const timer = this.#onTheirWay.get(connection);
    if (timer === undefined) return;
    if (timer !== null) clearTimeout(timer);
    this.#onTheirWay.delete(connection);
    this.#arrived();
  }

  /** Resets all of them. @returns how many these were */
  reset(): number {
    for (const connection of this.#all) connection.cut("stopped");
    return this.#all.size;
  }

  /** Closes those in peace who have nothing to ask for. */
  dismiss(): void {
    for (const connection of this.#all) {
      if (!connection.isWaiting && !connection.awaitsHeader) connection.drop("stopped");
    }
  }

  /** Forgets one. */
  remove(connection: PortableConnection): void {
    this.#all.delete(connection);
    this.#line.delete(connection);
  }
}
