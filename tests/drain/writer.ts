/**
 * A process that writes and removes a record, to be killed: `writer.ts FILE STEP…`. It says what it
 * does before and after each step:
 *
 * - `write:NUMBER` and `remove`; a failure is said
 * - `loop` both, for as long as there is time
 * - `read` says which record there is, and which files
 *
 * @module
 */

import { dirname } from "node:path";
import { RecordFile } from "../../lib/drain/store.ts";
import { numbered } from "./numbered.ts";

const [path = "", ...steps] = Deno.args;
const file = new RecordFile(path);

function say(line: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${line}\n`));
}

async function attempt(action: () => Promise<void>, before: string, after: string) {
  say(before);
  try {
    await action();
    say(after);
  } catch (error) {
    say(`failed: ${error instanceof Error ? error.message : error}`);
  }
}

const write = (number: number) =>
  attempt(() => file.write(numbered(number)), `writing ${number}`, `wrote ${number}`);

const remove = () => attempt(() => file.remove(), "removing", "removed");

async function read(): Promise<void> {
  const files = [...Deno.readDirSync(dirname(path))].map(({ name }) => name).sort();
  say(`files: ${files.join(" ")}`);
  const record = await file.read(say);
  say(`read ${record?.lease ?? "none"}`);
}

for (const step of steps) {
  const [name, number] = step.split(":");
  if (name === "write") await write(Number(number));
  if (name === "remove") await remove();
  if (name === "read") await read();
  for (let count = 1; name === "loop"; count++) {
    await write(count);
    if (count % 3 === 0) await remove();
  }
}
