import assert from "node:assert/strict";
import { TemporaryDirectory } from "../../support/temporary.ts";
import { passesAlone, runTests, type Surroundings } from "./run_tests.ts";

const TESTS = `
Deno.test("fails with <&> and \\"quotes\\"", () => { throw new Error("it does"); });
Deno.test("passes", () => {});
Deno.test("passes in steps", async (t) => void await t.step("one", () => {}));
Deno.test("fails in a step", async (t) => {
  await t.step("one", () => {});
  await t.step("two", () => { throw 1; });
});
Deno.test({ name: "is ignored", ignore: true, fn() {} });
`;

const CANCELLED = `
Deno.test("is cancelled", () => { Promise.reject(new Error("nobody's")); return new Promise(() => {}); });
`;

/** What fails the first time that it is run, and what always fails. */
const BY_CHANCE = `
const failOnce = (name) => {
  try {
    Deno.statSync(name);
  } catch (error) {
    Deno.mkdirSync(name);
    throw error;
  }
};
Deno.test("fails (once)", () => failOnce("one"));
Deno.test("fails (once) and always", () => { throw 1; });
Deno.test("fails in steps", async (t) => {
  await t.step("once", () => failOnce("two"));
  await t.step("always", () => { throw 1; });
});
`;

/** Puts tests where they can be run. @param stack removes them */
async function surroundings(stack: AsyncDisposableStack, tests: string): Promise<Surroundings> {
  const { path } = stack.use(await TemporaryDirectory.make());
  await Deno.writeTextFile(`${path}/these_test.ts`, tests);
  return { cwd: path, env: {}, output: "null" };
}

Deno.test("of tests that ran it is known which passed and which failed", async () => {
  await using stack = new AsyncDisposableStack();
  const { passed, failed } = await runTests([], await surroundings(stack, TESTS));
  assert.deepEqual([...failed].sort(), ["fails in a step > two", 'fails with <&> and "quotes"']);
  assert.deepEqual(
    [...passed].sort(),
    ["fails in a step > one", "passes", "passes in steps", "passes in steps > one"],
  );
});

Deno.test("a test that an error elsewhere has cancelled has failed", async () => {
  await using stack = new AsyncDisposableStack();
  const { passed, failed } = await runTests([], await surroundings(stack, CANCELLED));
  assert.deepEqual([[...passed], [...failed]], [[], ["is cancelled"]]);
});

Deno.test("what failed by chance passes when it is run again alone, and what always fails does not", async () => {
  await using stack = new AsyncDisposableStack();
  const all = await surroundings(stack, BY_CHANCE);
  const { failed } = await runTests([], all);
  const again: Record<string, boolean> = {};
  for (const name of failed) again[name] = await passesAlone(name, ["."], all);
  assert.deepEqual(again, {
    "fails (once)": true,
    "fails (once) and always": false,
    "fails in steps > once": true,
    "fails in steps > always": false,
  });
});
