import assert from "node:assert/strict";
import { clockTime, describeMoment, describeSince } from "../lib/moment.ts";

const now = Date.parse("2026-11-28T01:05:41.900Z");
const at = (time: string) => Date.parse(time);

Deno.test("a moment is told by how far away it is, then by the clock", () => {
  assert.equal(describeSince(at("2026-11-28T01:05:37.900Z"), now), "for 4.0s (01:05:37Z)");
  assert.equal(describeMoment(at("2026-11-28T02:05:37.900Z"), now), "in 59m56s (02:05:37Z)");
  assert.equal(describeMoment(at("2026-11-28T01:00:41.900Z"), now), "5m ago (01:00:41Z)");
});

Deno.test("a moment of another day is told with the day", () => {
  assert.equal(clockTime(at("2026-11-27T23:59:59.999Z"), now), "2026-11-27 23:59:59Z");
  assert.equal(clockTime(at("2026-11-29T00:00:00.000Z"), now), "2026-11-29 00:00:00Z");
  assert.equal(clockTime(at("2026-11-28T00:00:00.000Z"), now), "00:00:00Z");
});

Deno.test("what is to be in the past and, by a clock that was set, is not was now", () => {
  assert.equal(describeSince(now + 1000, now), "for 0ms (01:05:42Z)");
});
