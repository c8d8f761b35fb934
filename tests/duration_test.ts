import assert from "node:assert/strict";
import fc from "fast-check";
import {
  describeDuration,
  formatDuration,
  parseDuration,
  parseFiniteDuration,
} from "../lib/duration.ts";

const DAY = 24 * 3_600_000;

Deno.test("what is written as a duration is read as the same duration", () => {
  fc.assert(
    fc.property(fc.option(fc.integer({ min: 0, max: 21 * DAY })), (duration) => {
      assert.equal(parseDuration(formatDuration(duration)), duration);
    }),
  );
});

Deno.test("any text is a duration that a timer can wait, or is refused", () => {
  const text = fc.oneof(
    fc.string(),
    fc.array(fc.constantFrom("1", "90", "h", "m", "s", "ms", "none", " ", "-", "."))
      .map((parts) => parts.join("")),
  );
  fc.assert(fc.property(text, (text) => {
    try {
      const duration = parseDuration(text);
      assert.ok(duration === null || duration >= 0 && duration <= 2 ** 31 - 1);
    } catch (error) {
      assert.ok(error instanceof RangeError);
      assert.ok(error.message.startsWith(`"${text}" is `));
    }
  }));
});

for (
  const [text, milliseconds] of [
    ["0s", 0],
    ["500ms", 500],
    ["30s", 30_000],
    ["5m", 300_000],
    ["1h30m", 5_400_000],
    ["90m", 5_400_000],
    ["1h2m3s4ms", 3_723_004],
    ["1m5ms", 60_005],
    ["504h", 21 * DAY],
    ["none", null],
  ] as const
) {
  Deno.test(`"${text}" is ${milliseconds} milliseconds`, () => {
    assert.equal(parseDuration(text), milliseconds);
  });
}

for (
  const text of ["", "5", "s", "5 s", "-5s", "1.5s", "5S", "30m1h", "1s1s", "505h", "1d", "None"]
) {
  Deno.test(`"${text}" is refused as a duration`, () => {
    assert.throws(() => parseDuration(text), RangeError);
  });
}

Deno.test("a duration that must have an end cannot be none", () => {
  assert.equal(parseFiniteDuration("1s"), 1000);
  assert.throws(() => parseFiniteDuration("none"), RangeError);
});

Deno.test("a duration for a person has about two digits", () => {
  assert.equal(describeDuration(0), "0ms");
  assert.equal(describeDuration(12.4), "12ms");
  assert.equal(describeDuration(3420), "3.4s");
  assert.equal(describeDuration(312_400), "5m12s");
  assert.equal(describeDuration(7_500_000), "2h5m");
});
