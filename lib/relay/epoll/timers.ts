/** Timers are as coarse as this, in milliseconds, so that a thousand of them are one wake-up. */
const GRAIN = 8;

/**
 * One timer for each row of the table.
 *
 * Rows with a timer are in a binary heap, by when they are looked at. One whose timer is set to a
 * later time, or to never, stays where it is until it is looked at. So to set a timer mostly costs
 * nothing, and what is done is in proportion to what is due, however many rows there are.
 */
export class Timers {
  /** By row: when its timer runs out; */
  #due = new Float64Array(64).fill(Infinity);
  /** when it is looked at, `Infinity` if it is not in the heap; */
  #lookAt = new Float64Array(64).fill(Infinity);
  /** and where in the heap it is. */
  #places = new Int32Array(64);
  #heap = new Int32Array(64);
  #size = 0;
  /** When the first of the heap is looked at. */
  #next = Infinity;
  /** While timers fire: when those that are set meanwhile may be looked at, at the earliest. */
  #earliest = -Infinity;

  /** Sets the timer of a row, on the clock; `Infinity` is never. It may only come too late. */
  set(row: number, time: number): void {
    if (row >= this.#due.length) this.#grow(row);
    this.#due[row] = time;
    if (time < (this.#lookAt[row] as number)) this.#lookSooner(row, time);
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

  /** Calls back for each row whose time has come. */
  fire(now: number, callback: (row: number) => void): void {
    if (now < this.#next) return;
    this.#earliest = (Math.floor(now / GRAIN) + 1) * GRAIN;
    while (this.#next <= now) {
      const row = this.#heap[0] as number;
      const due = this.#due[row] as number;
      const isDue = due <= now;
      this.#lookAt[row] = isDue ? Infinity : roundedUp(due);
      if (isDue || due === Infinity) this.#removeFirst();
      else this.#sink(row);
      if (!isDue) continue;
      this.#due[row] = Infinity;
      callback(row);
    }
    this.#earliest = -Infinity;
  }

  #lookSooner(row: number, time: number): void {
    const before = this.#lookAt[row] as number;
    const lookAt = Math.max(this.#earliest, roundedUp(time));
    if (lookAt >= before) return;
    this.#lookAt[row] = lookAt;
    this.#rise(row, before === Infinity ? this.#size++ : this.#places[row] as number);
  }

  #removeFirst(): void {
    this.#size--;
    if (this.#size === 0) this.#next = Infinity;
    else this.#sink(this.#heap[this.#size] as number);
  }

  /** Puts a row where it belongs: at a place, or above it. */
  #rise(row: number, place: number): void {
    const time = this.#lookAt[row] as number;
    while (place > 0) {
      const parent = (place - 1) >> 1;
      const above = this.#heap[parent] as number;
      if ((this.#lookAt[above] as number) <= time) break;
      this.#put(above, place);
      place = parent;
    }
    this.#put(row, place);
  }

  /** Puts a row where it belongs: at the first place, or below it. */
  #sink(row: number): void {
    const time = this.#lookAt[row] as number;
    let place = 0;
    for (let child = 1; child < this.#size; child = 2 * place + 1) {
      if (child + 1 < this.#size && this.#timeAt(child + 1) < this.#timeAt(child)) child++;
      if (this.#timeAt(child) >= time) break;
      this.#put(this.#heap[child] as number, place);
      place = child;
    }
    this.#put(row, place);
  }

  #timeAt(place: number): number {
    return this.#lookAt[this.#heap[place] as number] as number;
  }

  #put(row: number, place: number): void {
    this.#heap[place] = row;
    this.#places[row] = place;
    if (place === 0) this.#next = this.#lookAt[row] as number;
  }

  #grow(row: number): void {
    const length = Math.max(row + 1, 2 * this.#due.length);
    this.#due = copied(this.#due, new Float64Array(length).fill(Infinity));
    this.#lookAt = copied(this.#lookAt, new Float64Array(length).fill(Infinity));
    this.#places = copied(this.#places, new Int32Array(length));
    this.#heap = copied(this.#heap, new Int32Array(length));
  }
}

/** The next of the times at which timers run out. */
function roundedUp(time: number): number {
  return Math.ceil(time / GRAIN) * GRAIN;
}

function copied<Numbers extends Float64Array | Int32Array>(from: Numbers, to: Numbers): Numbers {
  to.set(from);
  return to;
}
