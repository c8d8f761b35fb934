import assert from "node:assert/strict";
import fc from "fast-check";
import { Histogram as GenuineHistogram, Registry } from "prom-client";
import type { Status } from "../../lib/control/api.ts";
import { Metrics } from "../../lib/proxy/metrics.ts";
import { CLOSE_REASONS, type Counters } from "../../lib/relay/relay.ts";

const NAME = "disnix_tcp_proxy_held_seconds";

/** Metrics of a proxy that knows nothing but what it counts. */
function metrics(): Metrics {
  const closed = Object.fromEntries(
    CLOSE_REASONS.map((reason) => [reason, 0]),
  ) as Counters["closed"];
  const counters = { accepted: 0, bytesUp: 0, bytesDown: 0, connectFailures: 0, closed };
  const startedAt = "2026-01-01T00:00:00Z";
  const status = { state: "open", active: 0, queued: 0, suspended: 0, queueLimit: null, startedAt };
  return new Metrics(
    () => status as unknown as Status,
    () => ({ counters, maxConnections: null, connections: () => [], longestHold: 0 }),
  );
}

/** How long clients were held, as that is read. */
async function heldSeconds(metrics: Metrics): Promise<string> {
  const { text } = await metrics.read();
  return text.split("\n\n").find((one) => one.startsWith(`# HELP ${NAME} `))?.trim() ?? "";
}

Deno.test("what was counted before the first scrape reads as if prom-client had counted it", async () => {
  const times = fc.array(fc.oneof(
    fc.double({ min: 0, max: 3000, noNaN: true }),
    // The bounds of buckets.
    fc.constantFrom(0, 0.001, 0.01, 0.1, 0.5, 1, 5, 10, 30, 60, 300, 1800),
  ));
  await fc.assert(
    fc.asyncProperty(times, times, async (before, after) => {
      const ours = metrics();
      const registry = new Registry();
      const genuine = new GenuineHistogram({
        name: NAME,
        help: "How long clients were held before they were served",
        buckets: [...ours.heldSeconds.bounds],
        registers: [registry],
      });
      for (const times of [before, after]) {
        for (const seconds of times) {
          ours.released(seconds * 1000);
          genuine.observe(seconds * 1000 / 1000);
        }
        assert.equal(await heldSeconds(ours), (await registry.metrics()).trim());
      }
    }),
    { numRuns: 50 },
  );
});
