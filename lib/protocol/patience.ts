/** Notices, once for each wait, that a wait has become long. */
export class Patience {
  #timer: ReturnType<typeof setTimeout> | undefined;

  /**
   * @param limit how long a wait may be, in milliseconds
   * @param lost is called when one is longer
   */
  constructor(readonly limit: number, readonly lost: () => void) {}

  /** A wait begins, or goes on. */
  begin(): void {
    this.#timer ??= setTimeout(this.lost, this.limit);
  }

  /** The wait, if there was one, is over. */
  end(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }
}
