import type { Connection } from "./connection.ts";

/** How long a service is given for its first byte before the next client may come, in milliseconds. */
export const LONGEST_WAY = 100;

/**
 * How many clients that were held are on their way to the service: a herd that is let in at once
 * would overflow its backlog, and wait for SYNs that are sent again after a second.
 *
 * Each counts until the service's first byte has come, or for a while once it is connected: until
 * then nobody knows whether the service has accepted it.
 */
export class Pace {
  #size = 0;

  /** @param most how many there may be at once */
  constructor(readonly most: number) {}

  /** Whether one more may begin. */
  get hasRoom(): boolean {
    return this.#size < this.most;
  }

  /** One is on its way from now on. */
  begin(connection: Connection): void {
    connection.isOnItsWay = true;
    this.#size++;
  }

  /**
   * One has arrived, or is over.
   *
   * @returns whether it was on its way
   */
  end(connection: Connection): boolean {
    if (!connection.isOnItsWay) return false;
    connection.isOnItsWay = false;
    this.#size--;
    return true;
  }
}
