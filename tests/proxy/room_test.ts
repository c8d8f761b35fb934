import assert from "node:assert/strict";
import { whyNoEpoll } from "../../lib/linux/available.ts";
import { limited } from "../linux/limited.ts";
import { commandOf, Running } from "../support/programs.ts";
import { TemporaryDirectory } from "../support/temporary.ts";
import { testWith } from "../support/tools.ts";

testWith(
  whyNoEpoll(),
  "more connections than there are descriptors for are refused, with how many there can be",
  async () => {
    await using temporary = await TemporaryDirectory.make();
    await Deno.chmod(temporary.path, 0o777);
    const start = (most: number) =>
      new Running([
        ...limited(600),
        ...commandOf("proxy"),
        ...["127.0.0.1:0", "127.0.0.1:9", "--runtime-dir", `${temporary.path}/${most}`],
        ...["--log-format", "text", "--max-connections", `${most}`],
      ]);
    await using refused = start(100_000_000);
    const { code, stderr } = await refused.finished();
    assert.equal(code, 1);
    const [, most] =
      /^disnix-tcp-proxy: --max-connections 100000000 is more than there are descriptors for, [^\n]*: ask for (\d+) at the most, [^\n]*\n$/
        .exec(stderr) ?? [];
    assert.ok(Number(most) > 50 && Number(most) < 300, stderr);

    await using taken = start(Number(most));
    await taken.heard(new RegExp(`Listening on .*, at most ${most} connections\n`));
    assert.deepEqual([...Deno.readDirSync(temporary.path)].map(({ name }) => name), [most]);
  },
);
