import assert from "node:assert/strict";
import type { ConnectionView, DrainOutcome } from "../../lib/control/api.ts";
import { hintFor } from "../../lib/commands/hint.ts";

/** What is said of a drain with these in its way, by how long they were quiet. */
function hint(idle: readonly number[], more = 0, tied: ConnectionView["tied"] = null) {
  const blockers = idle.map((idleSeconds, id): ConnectionView => ({
    id,
    peer: `192.0.2.1:${id}`,
    upstream: "192.0.2.2:80",
    state: "established",
    ageSeconds: 100_000,
    idleSeconds,
    bytesUp: 0,
    bytesDown: 0,
    heldSince: null,
    tied,
  }));
  const outcome: DrainOutcome = {
    outcome: "deadline",
    message: "",
    waitedSeconds: 60,
    joined: false,
    connectionsCut: 0,
    active: idle.length + more,
    blockers,
  };
  return hintFor(outcome);
}

Deno.test("the hint says what would have helped with all that were seen", () => {
  assert.equal(
    hint([2, 0.437, 5, 9, 0.5]),
    "All 5 were quiet for over 400ms: --suspend-quiet 400ms would have let them stay, " +
      "--close-idle 400ms would have cut them",
  );
  assert.equal(
    hint([7500], 0, "tls"),
    "It was quiet for over 2h: --close-idle 2h would have cut it",
  );
  assert.match(`${hint([75, 130])}`, /^Both were quiet for over 1m: /);
  assert.match(`${hint([42, 30], 7)}`, /^The 2 oldest of 9 were quiet for over 30s: /);
});

Deno.test("where somebody is busy the hint says for which services even that one may stay", () => {
  assert.match(`${hint([50, 0.08])}`, /^For a service that keeps nothing per connection/);
});

Deno.test("there is no hint where somebody is busy and tied, or nobody is known", () => {
  assert.equal(hint([50, 0.08], 0, "tls"), null);
  assert.equal(hint([]), null);
});
