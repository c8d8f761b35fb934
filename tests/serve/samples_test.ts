import assert from "node:assert/strict";
import { Samples } from "../../lib/serve/samples.ts";
import type { Status } from "../../lib/control/api.ts";

/** A status of which nothing else is plotted. */
const status = (bytesUp: number) =>
  ({ active: 1, queued: 0, suspended: 0, accepted: 1, bytesUp, bytesDown: 0 }) as Status;

Deno.test("a rate is that of a second, however often a proxy is looked at", () => {
  const samples = new Samples();
  // Somebody opens the page, which then begins to look by itself.
  for (const at of [0, 2, 1000, 1001, 2000]) samples.add(status(5 * at), 1e9 + at);
  assert.deepEqual(samples.after(0).map(({ up }) => up), [null, 5000, 5000]);
});

Deno.test("what was not looked at is a gap", () => {
  const samples = new Samples();
  for (const at of [0, 1000, 60_000]) samples.add(status(at), 1e9 + at);
  assert.deepEqual(samples.after(0).map(({ active }) => active), [1, 1, null, 1]);
});
