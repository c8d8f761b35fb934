/**
 * Makes the four executables: `deno task compile [--target TARGET] [--output DIR]`.
 *
 * `deno compile` embeds the times of the files that it finds, so it is given copies of the sources
 * and of the libraries whose times are always the same: two runs make the same executables, byte for
 * byte. `$DENORT_BIN` names the runtime to put them on, where it cannot be downloaded, and
 * `$DENO_OF_DENORT` the Deno of its version, where that is not the one that runs this.
 *
 * @module
 */

import { join, resolve } from "node:path";
import { program, run } from "../command_line.ts";
import { Failure } from "../failure.ts";
import { type Program, PROGRAMS } from "./programs.ts";

/** What the executables are made of besides their scripts. */
const SOURCES = ["deno.json", "deno.lock", "lib"];

/**
 * What of the libraries is left out: `deno compile` takes a list of 100,000 numbers there, in a file
 * without an ending to its name, for a script, and its parser overflows its stack (Deno 2.9.6).
 */
const LEFT_OUT = /\/bintrees\/[^/]+\/test$/;

/** The time that all files get. Not 0, which some tools take for no time at all. */
const TIME = new Date(1000);

/** The Deno that compiles. */
const compiler = Deno.env.get("DENO_OF_DENORT") || Deno.execPath();

/** How to compile. */
export interface CompileOptions {
  /** As of `deno compile`: `x86_64-unknown-linux-gnu` and others. */
  readonly target?: string;
  /** The directory that the executables are put in. */
  readonly output: string;
}

/**
 * Makes the executables.
 *
 * @throws {Failure} when that fails
 */
export async function compile({ target, output }: CompileOptions): Promise<void> {
  const root = resolve(import.meta.dirname ?? ".", "../..");
  const programs: Program[] = Object.values(PROGRAMS);
  const directory = resolve(output);
  await Deno.mkdir(directory, { recursive: true });
  await deno("cache the libraries", root, {}, ["cache", "--quiet", "--frozen", ...scripts()]);
  // Not a directory with a name made up anew: Deno embeds paths where its parser complained.
  const copy = join(directory, ".compile");
  await Deno.remove(copy, { recursive: true }).catch(() => {});
  await Deno.mkdir(copy);
  try {
    for (const path of [...SOURCES, ...scripts()]) {
      await copyTree(join(root, path), join(copy, path));
    }
    const env = { DENO_DIR: await copyCache(join(copy, "cache")) };
    const leavingOut = await withoutUnusedLibraries();
    for (const { script, executable, permissions, workers = [] } of programs) {
      const path = join(directory, executable);
      await deno(`compile ${script}`, copy, env, [
        "compile",
        "--quiet",
        "--frozen",
        "--cached-only",
        "--no-check",
        // It would be read from the folder for temporary files, whoever put it there, and run.
        "--no-code-cache",
        ...leavingOut,
        ...(target === undefined ? [] : ["--target", target]),
        ...workers.flatMap((worker) => ["--include", worker]),
        ...permissions,
        "--output",
        path,
        script,
      ]);
    }
  } finally {
    await Deno.remove(copy, { recursive: true });
  }
}

function scripts(): string[] {
  return Object.values(PROGRAMS).map(({ script }) => script);
}

async function deno(what: string, cwd: string, env: Record<string, string>, args: string[]) {
  const { code } = await new Deno.Command(compiler, { args, cwd, env, stdin: "null" })
    .spawn().status;
  if (code === 0) return;
  throw new Failure(
    `Failed to ${what}: deno ${
      args[0]
    } ended with exit code ${code}; where it cannot download its ` +
      "runtime, name one with DENORT_BIN, and the Deno of its version with DENO_OF_DENORT",
  );
}

/** Keeps the libraries of the tests out, where Deno can do that (2.6 cannot). */
async function withoutUnusedLibraries(): Promise<string[]> {
  const flag = "--exclude-unused-npm";
  const help = new Deno.Command(compiler, { args: ["compile", "--help"] });
  const { stdout } = await help.output();
  return new TextDecoder().decode(stdout).includes(flag) ? [flag] : [];
}

/** A cache for Deno with copies of the libraries, and with the runtimes it has downloaded. */
async function copyCache(to: string): Promise<string> {
  const { stdout } = await new Deno.Command(compiler, { args: ["info", "--json"] }).output();
  const { denoDir, npmCache } = JSON.parse(new TextDecoder().decode(stdout)) as {
    denoDir: string;
    npmCache: string;
  };
  await Deno.mkdir(to);
  await copyTree(npmCache, join(to, "npm"));
  await Deno.mkdir(join(denoDir, "dl"), { recursive: true });
  await Deno.symlink(join(denoDir, "dl"), join(to, "dl"));
  return to;
}

async function copyTree(from: string, to: string): Promise<void> {
  if (LEFT_OUT.test(from)) return;
  if ((await Deno.stat(from)).isDirectory) {
    await Deno.mkdir(to);
    for await (const { name } of Deno.readDir(from)) {
      await copyTree(join(from, name), join(to, name));
    }
  } else {
    await Deno.copyFile(from, to);
  }
  await Deno.utime(to, TIME, TIME);
}

if (import.meta.main) {
  await run("compile", async () => {
    const command = program("compile")
      .description("Makes the four executables.")
      .option("--target <target>", "as of deno compile: x86_64-unknown-linux-gnu and others")
      .option("--output <directory>", "where they are put", "dist")
      .parse(Deno.args, { from: "user" });
    const options = command.opts<CompileOptions>();
    await compile(options);
    for (const { executable } of Object.values(PROGRAMS)) {
      // deno-lint-ignore no-console
      console.log(join(options.output, executable));
    }
    return 0;
  });
}
