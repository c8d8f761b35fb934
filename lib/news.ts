import { within } from "./within.ts";

/** Whether something has happened. */
export class News {
  #has = false;
  #wake = () => {};

  /** Something has happened. */
  readonly arrive = (): void => {
    this.#has = true;
    this.#wake();
  };

  /** Waits until something has happened, or so many milliseconds have passed. */
  async within(time: number): Promise<void> {
    if (!this.#has) await within(new Promise<void>((resolve) => this.#wake = resolve), time);
    this.#has = false;
  }
}
