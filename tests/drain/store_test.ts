/** The record on a real disk, with processes that are killed and disks that fail. */

import assert from "node:assert/strict";
import { basename, dirname, join } from "node:path";
import { formatRecord } from "../../lib/drain/record.ts";
import { RecordFile } from "../../lib/drain/store.ts";
import { brieflyOr } from "../support/long.ts";
import { numbered } from "./numbered.ts";

const writer = new URL("writer.ts", import.meta.url).pathname;

/** A directory of its own for one record. */
class Place implements Disposable {
  readonly directory = Deno.makeTempDirSync({ prefix: "drain-record-" });
  readonly path = join(this.directory, "drain.json");
  readonly file = new RecordFile(this.path);
  readonly complaints: string[] = [];

  get files(): string[] {
    return [...Deno.readDirSync(this.directory)].map(({ name }) => name).sort();
  }

  /** The number of the record that is there, as a new process finds it. */
  async read(): Promise<number | null> {
    const record = await this.file.read((message) => this.complaints.push(message));
    if (record !== null) assert.deepEqual(record, numbered(record.lease ?? NaN));
    return record?.lease ?? null;
  }

  [Symbol.dispose](): void {
    Deno.removeSync(this.directory, { recursive: true });
  }
}

function writerCommand(path: string, ...steps: string[]): [string, ...string[]] {
  const flags = ["run", "--quiet", "--no-prompt", "--allow-read", "--allow-write"];
  return [Deno.execPath(), ...flags, writer, path, ...steps];
}

async function run([file, ...args]: [string, ...string[]]) {
  const { code, stdout, stderr } = await new Deno.Command(file, { args }).output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { code, stdout: text(stdout), stderr: text(stderr) };
}

/** Whether a command can be started and succeeds. */
function works(file: string, ...args: string[]): boolean {
  try {
    return new Deno.Command(file, { args, stdout: "null", stderr: "null" }).outputSync().success;
  } catch {
    return false;
  }
}

Deno.test("a record is read back, replaced and removed", async () => {
  using place = new Place();
  assert.equal(await place.read(), null);
  await place.file.write(numbered(1));
  await place.file.write(numbered(2));
  assert.equal(await place.read(), 2);
  assert.deepEqual(place.files, ["drain.json"]);
  assert.equal(Deno.statSync(place.path).mode! & 0o777, 0o600);
  await place.file.remove();
  await place.file.remove();
  assert.equal(await place.read(), null);
  assert.deepEqual([place.files, place.complaints], [[], []]);
});

Deno.test("a record that cannot be understood is said, moved aside, and not met again", async () => {
  using place = new Place();
  const whole = formatRecord(numbered(1));
  for (const text of ["", "\0\0\0\0", "null", whole.slice(0, 100), `${whole}}`, "\ud800"]) {
    Deno.writeTextFileSync(place.path, text);
    const bytes = Deno.readFileSync(place.path);
    place.complaints.length = 0;
    assert.equal(await place.read(), null);
    assert.equal(place.complaints.length, 1);
    assert.match(
      place.complaints[0] ?? "",
      /^The drain record cannot be understood \(.+\); it is now .+drain\.json\.corrupt$/,
    );
    assert.deepEqual(place.files, ["drain.json.corrupt"]);
    assert.deepEqual(Deno.readFileSync(`${place.path}.corrupt`), bytes);
    assert.equal(await place.read(), null);
    assert.equal(place.complaints.length, 1);
  }
});

Deno.test("what an earlier process left half written is neither read nor kept", async () => {
  using place = new Place();
  await place.file.write(numbered(1));
  Deno.writeTextFileSync(`${place.path}.new`, "half");
  assert.equal(await place.read(), 1);
  assert.deepEqual(place.files, ["drain.json"]);
});

Deno.test("a record that cannot be put in its place leaves nothing behind", async () => {
  using place = new Place();
  Deno.mkdirSync(place.path);
  await assert.rejects(place.file.write(numbered(1)));
  assert.deepEqual(place.files, ["drain.json"]);
  assert.equal(await place.read(), null);
  assert.deepEqual(place.files, ["drain.json.corrupt"]);
  assert.match(place.complaints[0] ?? "", /drain\.json is not a regular file/);
  await assert.rejects(new RecordFile(join(place.directory, "no", "such")).write(numbered(1)));
});

Deno.test("a writer killed at any moment leaves a whole record, the old one or the new", async () => {
  using place = new Place();
  for (let round = 0; round < brieflyOr(3, 12); round++) {
    const found = await place.read();
    const [command, ...args] = writerCommand(place.path, "loop");
    const child = new Deno.Command(command, { args, stdout: "piped" }).spawn();
    let said = "";
    let timer: ReturnType<typeof setTimeout> | undefined;
    const kill = () => child.kill("SIGKILL");
    for await (const text of child.stdout.pipeThrough(new TextDecoderStream())) {
      said += text;
      timer ??= setTimeout(kill, Math.random() * 40);
    }
    const { signal } = await child.status;
    assert.equal(signal, "SIGKILL", said);
    assert.deepEqual(allowedAfter(said, found).includes(await place.read()), true, said);
    assert.deepEqual(place.complaints, []);
  }
});

/** Which record may be there, after what a writer has said. */
function allowedAfter(said: string, before: number | null): (number | null)[] {
  let allowed = [before];
  let [old] = allowed;
  for (const line of said.trim().split("\n")) {
    const [what, number] = line.split(" ");
    const next = number === undefined ? null : Number(number);
    if (what === "wrote" || what === "removed") allowed = [old = next];
    else allowed = [old ?? null, next];
  }
  return allowed.map((one) => one ?? null);
}

/** A system call of the writer that touches the record, and which file of the directory it was. */
interface Call {
  readonly name: string;
  /** `.` is the directory. */
  readonly file: string;
}

const CALLS = "trace=openat,write,fsync,/^rename,/^unlink";

/** The writer under strace, which sees only calls on these paths and tampers with them. */
async function traced(place: Place, paths: readonly string[], inject: string[], step: string) {
  const log = join(place.directory, "trace");
  // Only these calls stop it, which is quicker; but then it is not killed in time.
  const quick = inject.some((one) => one.includes("signal=")) ? [] : ["--seccomp-bpf"];
  const options = ["-f", ...quick, "-qq", "-y", "-o", log, "-e", CALLS];
  const result = await run([
    "strace",
    ...options,
    ...inject.flatMap((one) => ["-e", one]),
    ...paths.flatMap((path) => ["-P", path]),
    ...writerCommand(place.path, step),
  ]);
  const lines = Deno.readTextFileSync(log).split("\n");
  Deno.removeSync(log);
  return { ...result, lines };
}

const known: Record<string, Promise<Call[]>> = {};

/** What the writer does on the disk for one step, if that record is there before. */
function callsOf(before: number | null, step: string): Promise<Call[]> {
  return known[`${before} ${step}`] ??= findCalls(before, step);
}

async function findCalls(before: number | null, step: string): Promise<Call[]> {
  using place = new Place();
  await prepare(place, before);
  const { directory, path } = place;
  const { lines, stdout } = await traced(place, [directory, path, `${path}.new`], [], step);
  assert.match(stdout, /^(wrote|removed)/m);
  return lines.flatMap((line) => {
    const [, name = "", args = ""] = /^\d+ +(\w+)\((.*)/.exec(line) ?? [];
    // What is open is a number with its path, `22</tmp/drain.json>`; the rest is a path.
    const [, path] = (/^\d/.test(args) ? /<([^>]+)>/ : /"([^"]+)"/).exec(args) ?? [];
    return path === undefined ? [] : [{ name, file: path === directory ? "." : basename(path) }];
  });
}

/** `rename drain.json.new`, the same on every architecture. */
function describe({ name, file }: Call): string {
  return `${name.replace(/at2?$|$/, "")} ${file}`;
}

const withStrace = {
  ignore: !works("strace", "-f", "-qq", "-o", "/dev/null", "-e", CALLS, "true"),
};
if (withStrace.ignore) {
  // deno-lint-ignore no-console
  console.log("Ignored: tests that kill the writer at each system call need strace, and ptrace");
}

const SCENARIOS = [
  { what: "the first record", before: null, step: "write:2", after: 2 },
  { what: "the next record", before: 1, step: "write:2", after: 2 },
  { what: "a removal", before: 1, step: "remove", after: null },
];

async function prepare(place: Place, before: number | null): Promise<void> {
  if (before === null) await place.file.remove();
  else await place.file.write(numbered(before));
}

for (const { what, before, step, after } of SCENARIOS) {
  const written = after !== null;

  Deno.test({
    name: `${what}: reaches the disk before it is told`,
    ...withStrace,
    async fn() {
      const calls = (await callsOf(before, step)).map(describe);
      const file = ["open drain.json.new", "write drain.json.new", "fsync drain.json.new"];
      const change = written ? [...file, "rename drain.json.new"] : ["unlink drain.json"];
      assert.deepEqual(calls, [...change, "open .", "fsync ."]);
    },
  });

  Deno.test({
    name: `${what}: killed at each system call, it is the old state or the new, as it should be`,
    ...withStrace,
    async fn() {
      using place = new Place();
      const calls = await callsOf(before, step);
      let changed = false;
      for (const { name, file } of calls) {
        const path = join(place.directory, file);
        await prepare(place, before);
        const killed = await traced(place, [path], [`inject=${name}:signal=KILL`], step);
        assert.doesNotMatch(killed.stdout, /^(wrote|removed)/m, "it was killed");
        const message = `killed at ${name} ${path}`;
        assert.equal(await place.read(), changed ? after : before, message);
        assert.deepEqual(place.complaints, [], message);
        changed ||= /^(rename|unlink)/.test(name);
      }
      assert.equal(changed, true);
    },
  });

  Deno.test({
    name: `${what}: if a system call fails that is told, and what is there is whole`,
    ...withStrace,
    async fn() {
      using place = new Place();
      const calls = await callsOf(before, step);
      let changed = false;
      for (const { name, file } of calls) {
        const path = join(place.directory, file);
        await prepare(place, before);
        const failed = await traced(place, [path], [`inject=${name}:error=EIO`], step);
        const message = `failed at ${name} ${path}`;
        assert.match(failed.stdout, /^failed: .*os error 5/m, message);
        assert.equal(place.files.includes("drain.json.new"), false, message);
        assert.equal(await place.read(), changed ? after : before, message);
        changed ||= /^(rename|unlink)/.test(name);
      }
    },
  });
}

/** Words that start a command where it may mount, seen by nobody else. */
const alone: [string, ...string[]] = Deno.uid() === 0
  ? ["unshare", "--mount"]
  : ["unshare", "--mount", "--map-root-user"];

/** Runs a shell script where `$1` is a tiny disk of its own and `writer` writes on that. */
function onTinyDisk(directory: string, script: string) {
  const command = writerCommand(join(directory, "drain.json"));
  const prepared = 'directory=$1; shift; mount -t tmpfs -o size=4k none "$directory" && ' +
    `command="$*"; writer() { $command "$@"; }; ${script}`;
  return run([...alone, "sh", "-ec", prepared, "sh", directory, ...command]);
}

const withMount = {
  ignore: Deno.build.os !== "linux" ||
    !works(...alone, "sh", "-c", `mount -t tmpfs -o size=4k none ${dirname(writer)}`),
};
if (withMount.ignore) {
  // deno-lint-ignore no-console
  console.log("Ignored: tests with a full or read-only disk need to be allowed to mount one");
}

Deno.test({
  name: "on a full disk a write fails, the earlier record stays, and can be removed",
  ...withMount,
  async fn() {
    using place = new Place();
    const script = "writer write:0 write:1 read remove read write:2 read";
    const { stdout, stderr } = await onTinyDisk(place.directory, script);
    assert.match(
      stdout,
      new RegExp([
        "^writing 0",
        "wrote 0",
        "writing 1",
        "failed: .*os error 28.*",
        "files: drain.json",
        "read 0",
        "removing",
        "removed",
        "files: ",
        "read none",
        "writing 2",
        "wrote 2",
        "files: drain.json",
        "read 2\n$",
      ].join("\n")),
      stderr,
    );
  },
});

Deno.test({
  name: "on a read-only disk a write and a removal fail, and the record can be read",
  ...withMount,
  async fn() {
    using place = new Place();
    const script = 'writer write:0; mount -o remount,ro "$directory"; writer write:1 remove read';
    const { stdout, stderr } = await onTinyDisk(place.directory, script);
    assert.match(
      stdout,
      new RegExp([
        "writing 1",
        "failed: .*os error 30.*",
        "removing",
        "failed: .*os error 30.*",
        "files: drain.json",
        "read 0\n$",
      ].join("\n")),
      stderr,
    );
  },
});
