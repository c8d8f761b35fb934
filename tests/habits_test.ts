import assert from "node:assert/strict";

const root = new URL("../", import.meta.url).pathname;

for (
  const [habit, ...args] of [
    ["formatted", "fmt", "--check"],
    ["free of what the linter finds", "lint"],
    ["correct in their types", "check"],
  ]
) {
  Deno.test(`the sources are ${habit}`, async () => {
    const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), { args, cwd: root })
      .output();
    const said = new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
    assert.equal(code, 0, said);
  });
}
