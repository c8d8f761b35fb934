import assert from "node:assert/strict";
import { isSocketActivated } from "../lib/socket_activation.ts";

for (
  const [pid, count, expected] of [
    ["42", "1", true],
    ["42", "2", true],
    ["42", "0", false],
    ["42", "", false],
    ["42", undefined, false],
    ["42", "x", false],
    ["43", "1", false],
    ["", "1", false],
    [undefined, "1", false],
  ] as const
) {
  const is = expected ? "is" : "is not";
  Deno.test(`process 42 ${is} socket activated by LISTEN_PID=${pid} LISTEN_FDS=${count}`, () => {
    const variables = new Map([["LISTEN_PID", pid], ["LISTEN_FDS", count]]);
    assert.equal(isSocketActivated(variables as Map<string, string>, 42), expected);
  });
}
