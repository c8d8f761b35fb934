import fc from "fast-check";
import assert from "node:assert/strict";
import { Timers } from "../../../lib/relay/epoll/timers.ts";

/** How much too late a timer may be, in milliseconds; never too early. */
const GRAIN = 8;

const ROWS = 6;

type Step =
  | { readonly set: number; readonly after: number }
  | { readonly clear: number }
  | { readonly pass: number; readonly then: { readonly set: number; readonly after: number }[] };

const rows = fc.nat(ROWS - 1);
const set = fc.record({ set: rows, after: fc.double({ min: 0, max: 100, noNaN: true }) });
const steps = fc.array(
  fc.oneof(
    set,
    fc.record({ clear: rows }),
    // Whose timer ran out may set timers at once: that of any row.
    fc.record({
      pass: fc.double({ min: 0, max: 40, noNaN: true }),
      then: fc.array(set, { maxLength: 3 }),
    }),
  ),
  { maxLength: 60 },
);

/** What is wanted of each row, and nothing else. */
class Model {
  readonly wanted: number[] = Array(ROWS).fill(Infinity);

  /** Takes a timer that ran out. */
  fired(row: number, now: number): void {
    const wanted = this.wanted[row] as number;
    assert(wanted <= now, `row ${row} was wanted at ${wanted}, and fired at ${now}`);
    this.wanted[row] = Infinity;
  }

  get earliest(): number {
    return Math.min(...this.wanted);
  }
}

Deno.test("every timer fires once, never before its time, and no later than it may", () => {
  fc.assert(fc.property(steps, (steps: Step[]) => {
    const timers = new Timers();
    const model = new Model();
    let now = 1000.25;
    const setTimer = (row: number, time: number) => {
      timers.set(row, time);
      model.wanted[row] = time;
    };
    for (const step of steps) {
      if ("set" in step) setTimer(step.set, now + step.after);
      else if ("clear" in step) setTimer(step.clear, Infinity);
      else {
        now += step.pass;
        const then = [...step.then];
        timers.fire(now, ROWS, (row) => {
          model.fired(row, now);
          const next = then.shift();
          // One that is due at once has its turn in the next round, or in this one.
          if (next !== undefined) setTimer(next.set, now + GRAIN + next.after);
        });
        assert(model.earliest > now - GRAIN, `${model.earliest} is overdue at ${now}`);
      }
    }
  }));
});

Deno.test("the system may wait until the first timer is due, and no longer", () => {
  fc.assert(fc.property(steps, (steps: Step[]) => {
    const timers = new Timers();
    const model = new Model();
    let now = 1000.25;
    for (const step of steps) {
      if ("set" in step || "clear" in step) {
        const [row, time] = "set" in step ? [step.set, now + step.after] : [step.clear, Infinity];
        timers.set(row, time);
        model.wanted[row] = time;
      } else {
        now += step.pass;
        timers.fire(now, ROWS, (row) => model.fired(row, now));
      }
      const patience = timers.patience(now);
      assert(Number.isInteger(patience));
      if (patience === -1) assert.equal(model.earliest, Infinity);
      else assert(now + patience < Math.max(now, model.earliest + GRAIN) + 1);
    }
    // However often it wakes up too early, it sleeps for ever once nothing is to be done.
    for (let turns = 0; timers.patience(now) !== -1; turns++) {
      assert(turns < 100, "it never comes to rest");
      now += timers.patience(now);
      timers.fire(now, ROWS, (row) => model.fired(row, now));
    }
    assert.equal(model.earliest, Infinity);
  }));
});

Deno.test("a timer that is years away does not make the system wait for a moment only", () => {
  const timers = new Timers();
  timers.set(0, 1e13);
  assert.equal(timers.patience(0), 2 ** 31 - 1);
});

Deno.test("timers of rows that are in use fire, whatever is in the others", () => {
  const timers = new Timers();
  timers.set(0, 10);
  timers.set(1, 20);
  const fired: number[] = [];
  timers.fire(100, 2, (row) => fired.push(row));
  assert.deepEqual(fired, [0, 1]);
});
