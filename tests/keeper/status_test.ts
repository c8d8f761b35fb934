import assert from "node:assert/strict";
import { NO_COUNTERS } from "../../lib/relay/counters.ts";
import { answer } from "../../lib/keeper/status.ts";

Deno.test("when a proxy has taken over from the keeper, the same request may be made again at once", async () => {
  const kept = {
    directory: "/nowhere",
    listen: "127.0.0.1:1",
    until: 0,
    room: { queued: 0, suspended: 0, longestHold: 0, queueLimit: null, counters: NO_COUNTERS },
    hasSuccessor: () => true,
    replaced: () => Promise.resolve(),
  };
  const [query, none] = [new URLSearchParams(), new Map<string, string>()];
  const request = { method: "GET", path: "/v1/status", query, headers: none, body: "" };
  const { status, headers } = await answer(kept, request);
  assert.equal(status, 503);
  assert.equal(headers["retry-after"], "0");
});
