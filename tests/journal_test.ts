import assert from "node:assert/strict";
import { fstatSync, openSync } from "node:fs";
import { isJournal, prioritized } from "../lib/journal.ts";
import { commandOf, Running } from "./support/programs.ts";
import { echo } from "./relay/peer.ts";
import { TemporaryDirectory } from "./support/temporary.ts";

/** Words before a command whose stderr is the journal, or only was once. */
const inJournal = (stream: string) => [
  ...["sh", "-c", `JOURNAL_STREAM=${stream} exec "$@"`, "sh"],
];

Deno.test("stderr is the journal where device and inode are those that it is named by", async () => {
  await using temporary = await TemporaryDirectory.make();
  const one = openSync(`${temporary.path}/one`, "w");
  const { dev, ino } = fstatSync(one, { bigint: true });
  assert.equal(isJournal(`${dev}:${ino}`, one), true);
  for (
    const other of [
      undefined,
      "",
      `${dev}`,
      `${dev}:${ino}x`,
      `${dev}:${ino + 1n}`,
      `${dev + 1n}:${ino}`,
    ]
  ) {
    assert.equal(isJournal(other, one), false, other);
  }
  assert.equal(isJournal(`${dev}:${ino}`, 2), false);
  assert.equal(isJournal(`${dev}:${ino}`, 999), false);
});

Deno.test("every line has the priority, and nothing else has", () => {
  assert.equal(prioritized("one\ntwo\n", 4), "<4>one\n<4>two\n");
});

Deno.test("in the journal each line of the log begins with its priority, elsewhere none", async () => {
  await using service = await echo();
  await using temporary = await TemporaryDirectory.make();
  for (
    const [stream, begins] of [["$(stat -Lc %d:%i /proc/self/fd/2)", true], ["1:2", false]] as const
  ) {
    await using proxy = new Running([
      ...inJournal(stream),
      ...commandOf("proxy"),
      ...["127.0.0.1:0", `127.0.0.1:${service.address.port}`, "--log-format", "text"],
      ...["--runtime-dir", `${temporary.path}/proxy`, "--tcp-user-timeout", "1m"],
      ...["--relay", "portable"],
    ]);
    await proxy.heard(/Listening/);
    const lines = proxy.stderr.trimEnd().split("\n");
    const priorities = lines.map((line) => /^<(\d)>\d{4}-.*\[(\w+)\]/.exec(line)?.slice(1));
    const expected = [["4", "warning"], ["6", "info"]];
    assert.deepEqual(priorities, begins ? expected : [undefined, undefined]);
  }
  await using refused = new Running([
    ...inJournal("$(stat -Lc %d:%i /proc/self/fd/2)"),
    ...commandOf("proxy"),
    ...["eighty", "a:1"],
  ]);
  assert.match(
    (await refused.finished()).stderr,
    /^<3>disnix-tcp-proxy: The listen address "eighty"/,
  );
});
