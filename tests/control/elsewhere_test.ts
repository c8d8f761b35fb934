import assert from "node:assert/strict";
import { join } from "node:path";
import { whyNoEpoll } from "../../lib/linux/available.ts";
import { Stage } from "../keeper/stage.ts";
import { executables, whyNoExecutables } from "../support/executables.ts";
import { onlyForLong } from "../support/long.ts";
import { TemporaryDirectory } from "../support/temporary.ts";
import { testWith } from "../support/tools.ts";

for (const from of ["from source", "compiled"] as const) {
  testWith(
    whyNoEpoll() ?? (from === "compiled" ? onlyForLong ?? whyNoExecutables : null),
    `${from}: no variable has the proxy or its keeper answer anywhere but at the control socket`,
    async () => {
      await using temporary = await TemporaryDirectory.make();
      const elsewhere = join(temporary.path, "elsewhere");
      const env = { DENO_SERVE_ADDRESS: `duplicate,unix:${elsewhere}` };
      const compiled = from === "compiled" ? { executables: await executables() } : {};
      await using stage = await Stage.set({ ...compiled, env });
      await stage.drain();
      await assert.rejects(Deno.lstat(elsewhere), Deno.errors.NotFound);
      const { keeper } = await stage.parkIn({ env });
      await stage.stop();
      assert.equal((await stage.proxy.status()).pid, keeper);
      await assert.rejects(Deno.lstat(elsewhere), Deno.errors.NotFound);
      const next = await stage.next(compiled);
      await stage.resume(next);
    },
  );
}
