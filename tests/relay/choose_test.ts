import assert from "node:assert/strict";
import { Failure } from "../../lib/failure.ts";
import { chooseRelay } from "../../lib/relay/choose.ts";

Deno.test("the epoll relay is chosen where it can run, unless the other one is asked for", () => {
  assert.deepEqual(chooseRelay(undefined, null), { kind: "epoll", whyNoEpoll: null });
  assert.deepEqual(chooseRelay("epoll", null), { kind: "epoll", whyNoEpoll: null });
  assert.deepEqual(chooseRelay("portable", null), { kind: "portable", whyNoEpoll: null });
});

Deno.test("where the epoll relay cannot run it is the other one, and why only if nobody asked", () => {
  const why = "it needs Linux";
  assert.deepEqual(chooseRelay(undefined, why), { kind: "portable", whyNoEpoll: why });
  assert.deepEqual(chooseRelay("portable", why), { kind: "portable", whyNoEpoll: null });
});

Deno.test("asked for where it cannot run, the epoll relay is refused with the reason", () => {
  assert.throws(() => chooseRelay("epoll", "it needs Linux"), (error) => {
    assert.ok(error instanceof Failure);
    assert.match(error.message, /cannot run here: it needs Linux; --relay portable/);
    assert.equal(error.exitCode, 1);
    return true;
  });
});
