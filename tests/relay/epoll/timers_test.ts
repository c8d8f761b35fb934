import fc from "fast-check";
import assert from "node:assert/strict";
import { Timers } from "../../../lib/relay/epoll/timers.ts";

/** How much too late a timer may be, in milliseconds; never too early. */
const GRAIN = 8;

/** More than there is room for at first. */
const ROWS = 100;

/** A timer that is set, or only set to an earlier time. */
interface Setting {
  readonly row: number;
  readonly after: number;
  readonly isAdvance: boolean;
}

/** Some are set; or time passes, and whose timers run out set some themselves. */
type Step =
  | { readonly set: readonly Setting[] }
  | { readonly pass: number; readonly then: readonly Setting[] };

const milliseconds = (least: number, most: number) =>
  fc.integer({ min: least * GRAIN, max: most * GRAIN }).map((parts) => parts / GRAIN);
const never = fc.constant(Infinity);
const soon = milliseconds(0, 100);
const past = milliseconds(-50, 0);
const far = milliseconds(0, 1e7);
const settings = (maxLength: number) =>
  fc.array(
    fc.record({
      // A few are set again and again.
      row: fc.oneof(fc.nat(5), fc.nat(ROWS - 1)),
      after: fc.oneof(soon, soon, far, past, never),
      isAdvance: fc.boolean(),
    }),
    { maxLength },
  );
const steps: fc.Arbitrary<readonly Step[]> = fc.array(
  fc.oneof(
    fc.record({ set: settings(40) }),
    fc.record({
      pass: fc.oneof(milliseconds(0, 40), milliseconds(0, 40), far),
      then: settings(5),
    }),
  ),
  { maxLength: 40, size: "max" },
);

/** Timers, and what is wanted of each row: nothing else may happen, and that must. */
class Tried {
  readonly timers = new Timers();
  readonly wanted: number[] = Array(ROWS).fill(Infinity);
  now = 1000.25;

  set({ row, after, isAdvance }: Setting): void {
    const time = this.now + after;
    if (isAdvance) this.timers.advance(row, time);
    else this.timers.set(row, time);
    // What is over is wanted at once.
    const wanted = Math.max(time, this.now);
    this.wanted[row] = isAdvance ? Math.min(wanted, this.wanted[row] as number) : wanted;
  }

  /** @param then what those whose timers run out set, one after the other */
  pass(milliseconds: number, then: readonly Setting[] = []): void {
    this.now += milliseconds;
    const fired = new Set<number>();
    const left = [...then];
    this.timers.fire(this.now, (row) => {
      const wanted = this.wanted[row] as number;
      assert(wanted <= this.now, `row ${row} was wanted at ${wanted}, and fired at ${this.now}`);
      assert(!fired.has(row), `row ${row} fired twice in a round`);
      fired.add(row);
      this.wanted[row] = Infinity;
      const next = left.shift();
      if (next !== undefined) this.set(next);
    });
    for (const [row, wanted] of this.wanted.entries()) {
      assert(wanted > this.now - GRAIN, `row ${row}, wanted at ${wanted}, is overdue`);
    }
  }

  do(step: Step): void {
    if ("set" in step) { for (const setting of step.set) this.set(setting); }
    else this.pass(step.pass, step.then);
  }

  get earliest(): number {
    return Math.min(...this.wanted);
  }
}

Deno.test("every timer fires once, never before its time, and no later than it may", () => {
  fc.assert(fc.property(steps, (steps) => {
    const tried = new Tried();
    for (const step of steps) tried.do(step);
    // Whatever is left comes in time, and then nothing.
    for (let turns = 0; tried.earliest < Infinity; turns++) {
      assert(turns < 2 * ROWS, "some timers never fire");
      tried.pass(Math.max(0, tried.earliest - tried.now) + GRAIN);
    }
    tried.pass(1e9);
  }));
});

Deno.test("the system may wait until the first timer is due, and no longer", () => {
  fc.assert(fc.property(steps, (steps) => {
    const tried = new Tried();
    const { timers } = tried;
    for (const step of steps) {
      tried.do(step);
      const patience = timers.patience(tried.now);
      assert(Number.isInteger(patience));
      const latest = Math.max(tried.now, tried.earliest) + GRAIN;
      if (patience === -1) assert.equal(tried.earliest, Infinity);
      else assert(tried.now + patience < latest + 1, `${patience} ms from ${tried.now}`);
    }
    // However often it wakes up too early, it sleeps for ever once nothing is to be done.
    for (let turns = 0; timers.patience(tried.now) !== -1; turns++) {
      assert(turns < 4 * ROWS, "it never comes to rest");
      tried.pass(timers.patience(tried.now));
    }
    assert.equal(tried.earliest, Infinity);
  }));
});

Deno.test("those that set each other's timers to what is over have a turn each, not for ever", () => {
  const timers = new Timers();
  timers.set(0, 0);
  timers.set(1, 0);
  for (let round = 1; round < 10; round++) {
    const fired: number[] = [];
    timers.fire(round * GRAIN, (row) => {
      fired.push(row);
      timers.set(0, 0);
      timers.set(1, 0);
    });
    assert.deepEqual(fired.sort(), [0, 1]);
  }
});

Deno.test("timers within a few milliseconds wake the system up once", () => {
  const timers = new Timers();
  for (let row = 0; row < ROWS; row++) timers.set(row, 1000 + (row % GRAIN) + 1);
  let fired = 0;
  timers.fire(timers.patience(0), () => fired++);
  assert.equal(fired, ROWS);
  assert.equal(timers.patience(0), -1);
});

Deno.test("a timer that is years away does not make the system wait for a moment only", () => {
  const timers = new Timers();
  timers.set(0, 1e13);
  assert.equal(timers.patience(0), 2 ** 31 - 1);
});
