import assert from "node:assert/strict";
import { TemporaryDirectory } from "../support/temporary.ts";
import { testWith, without } from "../support/tools.ts";

/** How much the page may be exposed by what `systemd-analyze security` counts, of 100. */
const MOST_EXPOSED = 25;

testWith(
  without("systemd-analyze"),
  "the page's unit is understood by systemd, and locked up",
  async () => {
    await using temporary = await TemporaryDirectory.make();
    const file = "../../lib/packaging/systemd/disnix-tcp-proxy-page.service";
    const unit = await Deno.readTextFile(new URL(file, import.meta.url));
    const path = `${temporary.path}/disnix-tcp-proxy-page.service`;
    await Deno.writeTextFile(path, unit.replace("/usr/bin/proxyctl", "/bin/true"));
    for (
      const args of [
        ["verify", "--man=no", path],
        ["security", "--offline=true", `--threshold=${MOST_EXPOSED}`, path],
      ]
    ) {
      const { code, stdout, stderr } = await new Deno.Command("systemd-analyze", { args }).output();
      const said = new TextDecoder().decode(stderr);
      assert.equal(code, 0, said + new TextDecoder().decode(stdout));
      assert.doesNotMatch(said, /disnix-tcp-proxy-page\.service:\d+:/, "what is not understood");
    }
  },
);
