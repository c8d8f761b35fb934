/** When live connections moved from one proxy to the next. Times are those of `performance.now()`. */
export class Moves {
  #isMoving = false;
  #ended = -Infinity;

  /** One begins, or has ended. */
  moving(isMoving: boolean): void {
    this.#isMoving = isMoving;
    if (!isMoving) this.#ended = performance.now();
  }

  /** Whether connections moved at any time since then. */
  since(time: number): boolean {
    return this.#isMoving || this.#ended >= time;
  }
}
