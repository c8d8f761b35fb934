import assert from "node:assert/strict";
import { whyNoEpoll } from "../../lib/linux/available.ts";
import { testWith } from "../support/tools.ts";

testWith(
  whyNoEpoll(),
  "a service manager at a name that no socket can have is nobody",
  async () => {
    // Not before: it can only be loaded where it can run.
    const { sendServiceState } = await import("../../lib/linux/service_manager.ts");
    for (const name of ["/".padEnd(200, "x"), "@".padEnd(200, "x"), "/no/such/socket"]) {
      assert.doesNotThrow(() => sendServiceState({ state: "succeeded" }, name));
    }
  },
);
