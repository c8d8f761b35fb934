/**
 * As of when a thread has handled every event, so that it may say of a connection that nothing has
 * happened to it since.
 *
 * The clock alone does not tell: a process that was stopped, or frozen with its container, sees the
 * time jump before it sees what came meanwhile. So a time is taken first, and the system asked for
 * events after it; only when all that were there by then have been handled, that time counts.
 */
export class Hindsight {
  /** On the clock. */
  asOf = -Infinity;
  #since = -Infinity;
  /** How many events may have been there then that have not been handled yet. */
  #left = 0;

  /**
   * The system is about to be asked for events.
   *
   * @param now a time on the clock that has passed
   * @param sockets how many there are that events may be told of
   */
  ask(now: number, sockets: number): void {
    if (this.#left > 0) return;
    this.#since = now;
    this.#left = sockets;
  }

  /**
   * Events were handled.
   *
   * @param count how many; negative if the system has not looked (EINTR)
   * @param most how many it tells of at once: if there are fewer, there were no more
   */
  handled(count: number, most: number): void {
    if (count < 0) return;
    // Those that have been there for the longest are told of first, each socket's once: however many
    // come meanwhile, the others are not waited for.
    this.#left = count < most ? 0 : this.#left - count;
    if (this.#left <= 0) this.asOf = this.#since;
  }
}
