/**
 * The four programs as they are compiled, for tests that run them.
 *
 * `$EXECUTABLES` names a directory that has them. Else `$DENORT_BIN` names the runtime that they are
 * put on, and `$DENO_OF_DENORT` the Deno of that version, unless it is the one that runs the tests.
 *
 * @module
 */

import { join } from "node:path";
import { PROGRAMS } from "../../lib/packaging/programs.ts";

const root = new URL("../../", import.meta.url).pathname;

/** The Deno that compiles for the runtime that is named. */
const compiler = Deno.env.get("DENO_OF_DENORT") ?? Deno.execPath();

/** What the executables depend on, relative to the top. */
const INPUTS = [
  "deno.json",
  "deno.lock",
  "lib",
  ...Object.values(PROGRAMS).map(({ script }) => script),
];

/** Why no executables can be run here; `null` if they can. */
export const whyNoExecutables: string | null = missing();

/** Whether they are compiled by the Deno that runs the tests, so that nothing else differs. */
export const compiledByThisDeno: boolean = Deno.env.has("EXECUTABLES") ||
  !Deno.env.has("DENO_OF_DENORT");

/**
 * The directory of the executables. They are compiled when something that they are made of has
 * changed: in a whole run of the tests once.
 *
 * @throws when that fails
 */
export async function executables(): Promise<string> {
  const given = Deno.env.get("EXECUTABLES");
  if (given !== undefined) return given;
  const directory = join(root, "dist/tests");
  await Deno.mkdir(directory, { recursive: true });
  // Tests of other files may want them just now.
  using lock = await Deno.open(`${directory}/lock`, { write: true, create: true });
  await lock.lock(true);
  const madeOf = `${directory}/made-of`;
  const digest = await digestOfInputs();
  if (await Deno.readTextFile(madeOf).catch(() => "") === digest) return directory;
  await Deno.remove(madeOf).catch(() => {});
  await compileTo(directory);
  await Deno.writeTextFile(madeOf, digest);
  return directory;
}

async function compileTo(output: string): Promise<void> {
  const { success, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", "--allow-all", "lib/packaging/compile.ts", "--output", output],
    cwd: root,
    // Where a company signs all certificates, only the system knows it.
    env: { DENO_TLS_CA_STORE: "system" },
  }).output();
  if (!success) throw new Error(new TextDecoder().decode(stderr));
}

async function digestOfInputs(): Promise<string> {
  const runtime = Deno.env.get("DENORT_BIN") ?? "";
  const { size, mtime } = await Deno.stat(runtime);
  const bundler = Deno.env.get("ESBUILD_BIN") ?? "";
  const parts = [compiler, runtime, bundler, `${size}`, `${mtime?.getTime()}`];
  for (const path of INPUTS) await readTree(path, parts);
  const bytes = new TextEncoder().encode(parts.join("\0"));
  return new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)).toHex();
}

async function readTree(path: string, parts: string[]): Promise<void> {
  const there = join(root, path);
  if (!(await Deno.stat(there)).isDirectory) {
    parts.push(path, await Deno.readTextFile(there));
    return;
  }
  const names = await Array.fromAsync(Deno.readDir(there), ({ name }) => name);
  for (const name of names.sort()) await readTree(`${path}/${name}`, parts);
}

function missing(): string | null {
  if (Deno.env.has("EXECUTABLES")) return null;
  const runtime = Deno.env.get("DENORT_BIN");
  if (runtime === undefined) return "no denort: DENORT_BIN is not set";
  try {
    // A real one complains that there is no program; other files can stand in where nothing is run.
    const { stderr } = new Deno.Command(runtime).outputSync();
    if (new TextDecoder().decode(stderr).includes("standalone binary")) return null;
  } catch { /* it cannot be run at all */ }
  return `DENORT_BIN is no denort: ${runtime}`;
}
