import type { Clock } from "../clock.ts";

/** Whose turns they are. */
export interface TurnsOf {
  readonly clock: Clock;
  /** Does what is due by now. */
  advance(): Promise<void>;
  /** In how many milliseconds something will be due; `Infinity` if nothing is to come. */
  untilDue(): number;
}

/** Runs commands one after the other, what is due before each, and what becomes due in time. */
export class Turns {
  readonly #of: TurnsOf;
  #last: Promise<unknown> = Promise.resolve();
  #cancelTimer: () => void = () => {};
  #frozen: PromiseWithResolvers<void> | null = null;

  constructor(of: TurnsOf) {
    this.#of = of;
  }

  /** Runs a command in its turn. Rejects as the command does, or what was due before it. */
  take<T>(command: () => Promise<T>): Promise<T> {
    const result = this.#last.then(() => this.#of.advance()).then(command);
    this.#last = result.then(() => this.#setTimer(), () => this.#setTimer());
    return result;
  }

  /** Runs a command that nobody waits for. */
  takeUnattended(command: () => Promise<unknown>): void {
    // It fails only with a relay that cannot open: rather ends the process then than that clients
    // are held for ever and nobody knows.
    this.take(command).catch(reportError);
  }

  /** Does what is due. */
  wake(): void {
    this.takeUnattended(() => Promise.resolve());
  }

  /**
   * Makes everything that comes later wait, until {@linkcode thaw} or {@linkcode end}.
   *
   * @param begin is called in its turn; if it throws, nothing waits
   * @returns what that returned
   */
  freeze<T>(begin: () => T): Promise<T> {
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    this.take(async () => {
      const begun = begin();
      this.#cancelTimer();
      this.#frozen = Promise.withResolvers<void>();
      resolve(begun);
      // Its turn lasts until then.
      await this.#frozen.promise.catch(() => {});
    }).catch(reject);
    return promise;
  }

  /** Goes on after {@linkcode freeze} as if nothing had happened. */
  thaw(): void {
    this.#frozen?.resolve();
    this.#frozen = null;
  }

  /** Goes on after {@linkcode freeze}, and stays {@linkcode frozen}, for this reason. */
  end(reason: Error): void {
    this.#frozen?.reject(reason);
  }

  /** `null` unless it is frozen. Resolves when it goes on; rejects when it has ended. */
  get frozen(): Promise<void> | null {
    return this.#frozen?.promise ?? null;
  }

  #setTimer(): void {
    this.#cancelTimer();
    this.#cancelTimer = () => {};
    const { clock } = this.#of;
    const delay = this.#of.untilDue();
    if (delay < Infinity) this.#cancelTimer = clock.after(delay, () => this.wake());
  }
}
