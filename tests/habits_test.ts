import assert from "node:assert/strict";
import { PROGRAMS } from "../lib/packaging/programs.ts";

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

Deno.test("nothing is served by Deno.serve: it listens wherever DENO_SERVE_ADDRESS says", async () => {
  const programs = Object.values(PROGRAMS).map(({ script }) => script);
  const read = async (path: string): Promise<void> => {
    if ((await Deno.stat(root + path)).isDirectory) {
      for await (const { name } of Deno.readDir(root + path)) await read(`${path}/${name}`);
    } else assert.doesNotMatch(await Deno.readTextFile(root + path), /Deno\.serve\(/, path);
  };
  for (const path of ["lib", ...programs]) await read(path);
});
