import assert from "node:assert/strict";
import { IdleTimer } from "../../lib/idle_timer.ts";
import { Patience } from "../../lib/protocol/patience.ts";
import { FakeTimers } from "../support/fake_timers.ts";

/** Runs a test with a clock that only moves when told to. */
function withClock(test: (tick: (milliseconds: number) => void) => void): () => void {
  return () => {
    using timers = new FakeTimers();
    test((milliseconds) => timers.pass(milliseconds));
  };
}

Deno.test(
  "idle is who has had nothing open for that long, from the last one on",
  withClock((tick) => {
    let passed = 0;
    const idle = new IdleTimer(1000, () => passed++);
    idle.start();
    tick(999);
    idle.stop();
    tick(5000);
    idle.start();
    tick(1000);
    assert.equal(passed, 0, "the event loop has not turned since");
    tick(10);
    assert.equal(passed, 1);
  }),
);

Deno.test(
  "with 0s whoever waited already is seen first",
  withClock((tick) => {
    let passed = 0;
    const idle = new IdleTimer(0, () => passed++);
    idle.start();
    tick(1);
    idle.stop(); // the connection that had waited
    tick(5000);
    assert.equal(passed, 0);
  }),
);

Deno.test(
  "without a duration nobody is ever idle",
  withClock((tick) => {
    const idle = new IdleTimer(null, () => assert.fail());
    idle.start();
    tick(10_000);
  }),
);

Deno.test(
  "patience is lost once for each wait, however often it is said to go on",
  withClock((tick) => {
    let lost = 0;
    const patience = new Patience(1000, () => lost++);
    patience.begin();
    tick(600);
    patience.begin();
    tick(400);
    assert.equal(lost, 1);
    patience.begin();
    tick(5000);
    assert.equal(lost, 1);
    patience.end();
    patience.begin();
    tick(1000);
    assert.equal(lost, 2);
    patience.end();
    tick(5000);
    assert.equal(lost, 2);
  }),
);
