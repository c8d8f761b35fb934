import assert from "node:assert/strict";
import { setImmediate as turn } from "node:timers/promises";
import { within } from "../lib/within.ts";
import { FakeTimers } from "./support/fake_timers.ts";

const never = new Promise<never>(() => {});

/** Runs a test whose time passes only when it is told to. */
async function withOwnTime(test: (pass: (milliseconds: number) => void) => Promise<void>) {
  using timers = new FakeTimers();
  await test((milliseconds) => timers.pass(milliseconds));
}

for (
  const [how, promise] of [
    ["comes", () => Promise.resolve("done")],
    ["fails", () => Promise.reject(new Error("broken"))],
  ] as const
) {
  Deno.test(`what ${how} in time ${how}, and nothing happens when the time is over`, async () => {
    await withOwnTime(async (pass) => {
      let late = 0;
      const waiting = within(promise(), 1000, () => late++);
      if (how === "comes") assert.equal(await waiting, "done");
      else await assert.rejects(waiting, /broken/);
      pass(1000);
      await turn();
      assert.equal(late, 0);
    });
  });
}

Deno.test("when the time is over, and not before, what comes then is the result", async () => {
  await withOwnTime(async (pass) => {
    let result: string | undefined;
    const waiting = within(never, 1000, () => "late").then((late) => result = late);
    pass(999);
    await turn();
    assert.equal(result, undefined);
    pass(1);
    assert.equal(await waiting, "late");
  });
});

Deno.test("when the time is over it may also fail", async () => {
  const late = () => {
    throw new Error("too late");
  };
  await assert.rejects(within(never, 0, late), /too late/);
});

Deno.test("when the time is over and nobody said what then, there is no result", async () => {
  assert.equal(await within(never, 0), undefined);
});

Deno.test("without a limit it takes as long as it takes", async () => {
  await withOwnTime(async (pass) => {
    const { promise, resolve } = Promise.withResolvers<string>();
    const waiting = within(promise, null, () => "late");
    pass(3_600_000);
    await turn();
    resolve("done");
    assert.equal(await waiting, "done");
  });
});

Deno.test("what fails after its time is nobody's failure any more", async () => {
  const { promise, reject } = Promise.withResolvers<string>();
  assert.equal(await within(promise, 0, () => "late"), "late");
  reject(new Error("broken"));
  await turn();
});
