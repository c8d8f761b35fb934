/** Timers are as coarse as this, in milliseconds, so that a thousand of them are one wake-up. */
const GRAIN = 8;

/** One timer for each row of the table. */
export class Timers {
  #due = new Float64Array(64).fill(Infinity);
  #next = Infinity;

  /** Sets the timer of a row, on the clock; `Infinity` is never. It may only come too late. */
  set(row: number, time: number): void {
    const due = Math.ceil(time / GRAIN) * GRAIN;
    if (row >= this.#due.length) this.#grow(row);
    this.#due[row] = due;
    if (due < this.#next) this.#next = due;
  }

  /** Sets the timer of a row to an earlier time, if it is one. */
  advance(row: number, time: number): void {
    if (row >= this.#due.length || time < (this.#due[row] as number)) this.set(row, time);
  }

  /** For how many milliseconds the system may wait for events; -1 is for ever. */
  patience(now: number): number {
    if (this.#next === Infinity) return -1;
    return Math.max(0, Math.ceil(Math.min(this.#next - now, 2 ** 31 - 1)));
  }

  /** Calls back for each row whose time has come, of so many. */
  fire(now: number, rows: number, callback: (row: number) => void): void {
    if (now < this.#next) return;
    this.#next = Infinity;
    for (let row = 0; row < rows; row++) {
      const due = this.#due[row] as number;
      if (due <= now) {
        this.#due[row] = Infinity;
        callback(row);
      }
      const next = this.#due[row] as number;
      if (next < this.#next) this.#next = next;
    }
  }

  #grow(row: number): void {
    const due = new Float64Array(Math.max(row + 1, 2 * this.#due.length)).fill(Infinity);
    due.set(this.#due);
    this.#due = due;
  }
}
