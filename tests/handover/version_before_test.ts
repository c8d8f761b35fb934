/** What the version before is told. That it takes it is in earlier_version_test.ts. */

import assert from "node:assert/strict";
import type { Message } from "../../lib/handover/messages.ts";
import { asTakenBy, VERSION_BEFORE } from "../../lib/handover/version_before.ts";
import { VERSION } from "../../lib/version.ts";

const offer: Message = {
  type: "offer",
  protocol: 1,
  version: VERSION,
  pid: 7,
  kind: "proxy",
  listen: "127.0.0.1:5432",
  cookie: "1",
};

Deno.test("this version is not the one before, and is told everything", () => {
  assert.notEqual(VERSION, VERSION_BEFORE);
  const whole: Message = { ...offer, isInherited: true, reaper: 1 };
  assert.equal(asTakenBy(VERSION, whole), whole);
});

Deno.test("the version before is told nothing that it does not know", () => {
  assert.deepEqual(asTakenBy(VERSION_BEFORE, { ...offer, isInherited: true, more: [] }), offer);
});

Deno.test("what would be lost with the version before, or end it, is refused with a reason", () => {
  const more = [{ listen: "[::1]:5432", cookie: "2" }];
  assert.throws(
    () => asTakenBy(VERSION_BEFORE, { ...offer, more }),
    /^Error: version 1\.0\.0 takes one listening socket, and process 7 has 2: stop that before/,
  );
  assert.throws(
    () => asTakenBy(VERSION_BEFORE, { ...offer, reaper: 1 }),
    /^Error: the container ends with process 7, and version 1\.0\.0 takes over only from one/,
  );
});
