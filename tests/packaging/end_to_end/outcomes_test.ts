import assert from "node:assert/strict";
import { type Outcomes, outcomes } from "./outcomes.ts";
import { TemporaryDirectory } from "../../support/temporary.ts";

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

async function reported(tests: string): Promise<Outcomes> {
  await using temporary = await TemporaryDirectory.make();
  const [file, report] = ["these_test.ts", "report.xml"]
    .map((name) => `${temporary.path}/${name}`) as [string, string];
  await Deno.writeTextFile(file, tests);
  const { success } = await new Deno.Command(Deno.execPath(), {
    args: ["test", "--no-check", "--no-config", `--junit-path=${report}`, file],
    stdout: "null",
    stderr: "null",
  }).output();
  assert.equal(success, false);
  return outcomes(await Deno.readTextFile(report));
}

Deno.test("of a report it is known which tests passed and which failed", async () => {
  const { passed, failed } = await reported(TESTS);
  assert.deepEqual([...failed].sort(), ["fails in a step > two", 'fails with <&> and "quotes"']);
  assert.deepEqual(
    [...passed].sort(),
    ["fails in a step > one", "passes", "passes in steps", "passes in steps > one"],
  );
});

Deno.test("a test that an error elsewhere has cancelled has failed", async () => {
  const { passed, failed } = await reported(CANCELLED);
  assert.deepEqual([[...passed], [...failed]], [[], ["is cancelled"]]);
});
