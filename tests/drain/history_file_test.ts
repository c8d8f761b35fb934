import assert from "node:assert/strict";
import { History } from "../../lib/drain/history.ts";
import { HistoryFile, readHistory } from "../../lib/drain/history_file.ts";
import { until } from "../support/until.ts";
import { TemporaryDirectory } from "../support/temporary.ts";
import { FakeClock } from "./fakes.ts";

const fail = (error: unknown) => {
  throw error;
};

/** Remembers a drain that has failed. */
function remember(history: History, since: number, reason = "an upgrade"): void {
  const known = { owner: "ann", reason, since };
  const outcome = { message: "", waited: 5000, cut: 0, active: 0, blockers: [] };
  history.decided(known, { outcome: "deadline", ...outcome });
  history.ended(known, "deadline", { held: 0, longest: 0 });
}

Deno.test("the history is read as it was written, a line each, for its owner only", async () => {
  await using directory = await TemporaryDirectory.make();
  const path = `${directory.path}/history.jsonl`;
  const file = new HistoryFile(path, fail);
  const history = new History(new FakeClock(), [], file);
  for (let since = 1; since <= 120; since++) remember(history, since);
  await file.flush();
  assert.deepEqual(readHistory(path), history.all);
  const text = await Deno.readTextFile(path);
  assert.equal(text.split("\n").length, 101);
  assert.equal(((await Deno.stat(path)).mode ?? 0) & 0o777, 0o600);
  assert.deepEqual(await Array.fromAsync(Deno.readDir(directory.path), ({ name }) => name), [
    "history.jsonl",
  ]);
  // What a crash or a later version has left is no reason to forget the rest.
  await Deno.writeTextFile(path, `${text}{"outcome":"dra\n{"outcome":"unheard of"}\n`);
  assert.deepEqual(readHistory(path), history.all);
});

Deno.test("a history that cannot be written is said once, and is written once it can be", async () => {
  await using directory = await TemporaryDirectory.make();
  const path = `${directory.path}/history.jsonl`;
  await Deno.mkdir(`${path}/in-its-place`, { recursive: true });
  const told: unknown[] = [];
  const file = new HistoryFile(path, (error) => told.push(error));
  const history = new History(new FakeClock(), [], file);
  for (let since = 1; since <= 3; since++) {
    remember(history, since);
    await file.flush();
  }
  assert.equal(told.length, 1);
  assert.equal(history.all.length, 3);
  await Deno.remove(path, { recursive: true });
  remember(history, 4);
  await file.flush();
  assert.equal(readHistory(path).length, 4);
});

Deno.test("what is there under the name of the history and is none holds up nothing", async () => {
  await using directory = await TemporaryDirectory.make();
  const path = `${directory.path}/history.jsonl`;
  await new Deno.Command("mkfifo", { args: [path] }).output();
  const told: unknown[] = [];
  assert.deepEqual(readHistory(path, (error) => told.push(error)), []);
  assert.equal(told.length, 1);
});

Deno.test("a process that has given the history away writes nothing any more", async () => {
  await using directory = await TemporaryDirectory.make();
  const path = `${directory.path}/history.jsonl`;
  const clock = new FakeClock();
  const file = new HistoryFile(path, fail);
  const old = new History(clock, [], file);
  remember(old, 1);
  await file.flush();
  const next = new History(clock, [], new HistoryFile(path, fail));
  old.moveOut();
  next.moveIn(old.all);
  remember(next, 2, "by the next");
  await until(() => readHistory(path).length, (length) => length === 2);
  remember(old, 3, "too late");
  await file.flush();
  assert.deepEqual(readHistory(path), next.all);
});
