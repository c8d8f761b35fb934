/**
 * Stands in for `setTimeout` until it is disposed of: time passes only when it is told to.
 *
 * Not `mock.timers` of `node:test`, which is not in every Deno that the programs run on.
 */
export class FakeTimers implements Disposable {
  readonly #real = { setTimeout: globalThis.setTimeout, clearTimeout: globalThis.clearTimeout };
  readonly #waiting = new Map<number, { readonly at: number; readonly run: () => void }>();
  #now = 0;
  #last = 0;

  constructor() {
    const setTimeout = (run: () => void, milliseconds = 0) => {
      this.#waiting.set(++this.#last, { at: this.#now + Math.max(1, milliseconds), run });
      return this.#last;
    };
    const clearTimeout = (id?: number) => void this.#waiting.delete(id ?? 0);
    Object.assign(globalThis, { setTimeout, clearTimeout });
  }

  /** Lets that many milliseconds pass: who waits for one of them is called, in that order. */
  pass(milliseconds: number): void {
    const end = this.#now + milliseconds;
    for (;;) {
      const [next] = [...this.#waiting].sort(([, one], [, other]) => one.at - other.at);
      if (next === undefined || next[1].at > end) break;
      const [id, { at, run }] = next;
      this.#waiting.delete(id);
      this.#now = at;
      run();
    }
    this.#now = end;
  }

  [Symbol.dispose](): void {
    Object.assign(globalThis, this.#real);
  }
}
