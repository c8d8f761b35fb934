import assert from "node:assert/strict";
import { refuseOldDeno } from "../lib/deno_version.ts";
import { Failure } from "../lib/failure.ts";
import { type Program, PROGRAMS } from "../lib/packaging/programs.ts";
import { testWith } from "./support/tools.ts";

for (const version of ["1.46.3", "2.6.10", "2.7.14"]) {
  Deno.test(`from source Deno ${version} is refused, in executables it is not`, () => {
    assert.throws(() => refuseOldDeno(version, false), (error) => {
      assert.ok(error instanceof Failure);
      assert.equal(error.exitCode, 1);
      assert.match(
        error.message,
        new RegExp(`^Deno ${version} is too old .* needs 2\\.8 or later`),
      );
      return true;
    });
    refuseOldDeno(version, true);
  });
}

for (const version of ["2.8.0", "2.9.6", "2.10.1", "3.0.0-rc.1"]) {
  Deno.test(`from source Deno ${version} is not refused`, () => refuseOldDeno(version, false));
}

const old = Deno.env.get("DENO_OF_DENORT");
const noOld = old === undefined ? "no older Deno: DENO_OF_DENORT is not set" : null;

for (const { script, executable, permissions } of Object.values(PROGRAMS) as Program[]) {
  testWith(noOld, `${executable} says in one line that a Deno is too old`, async () => {
    const { code, stdout, stderr } = await new Deno.Command(old ?? "", {
      args: ["run", "--quiet", ...permissions, script, "--version"],
      cwd: new URL("..", import.meta.url),
    }).output();
    const decoder = new TextDecoder();
    assert.match(decoder.decode(stderr), new RegExp(`^${executable}: Deno \\S+ is too old .*\\n$`));
    assert.deepEqual([code, decoder.decode(stdout)], [1, ""]);
  });
}
