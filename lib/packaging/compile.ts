/**
 * Makes the four executables: `deno task compile [--target TARGET] [--output DIR]`.
 *
 * Each is compiled from a bundle of its script with its modules and libraries: what is loaded from
 * some files starts sooner, and is smaller, than what is loaded from hundreds. The bundler names parts
 * after where it finds what they are made of, seen from where it works, and `deno compile` embeds the
 * times of files: so the one works in a copy, and the other finds times that are always the same. Two
 * runs make the same executables, byte for byte. `$DENORT_BIN` names the runtime to put them on, where it cannot be downloaded, and
 * `$DENO_OF_DENORT` the Deno of its version, where that is not the one that runs this.
 *
 * @module
 */

import { dirname, join, resolve } from "node:path";
import { program, run } from "../command_line.ts";
import { Failure } from "../failure.ts";
import { bundle, getBundler } from "./bundle.ts";
import { librariesOf, type Library, licenses } from "./libraries.ts";
import { type Program, PROGRAMS } from "./programs.ts";
import { tool } from "./tools.ts";

/** What the executables are made of besides their scripts. */
const SOURCES = ["deno.json", "lib"];

/** Where an executable has the licenses of its libraries. */
const LICENSES = "licenses.txt";

/** The time that all files get. Not 0, which some tools take for no time at all. */
const TIME = new Date(1000);

const root = resolve(import.meta.dirname ?? ".", "../..");
const MANIFEST = join(root, "deno.json");

/** The Deno that compiles. */
const compiler = Deno.env.get("DENO_OF_DENORT") || Deno.execPath();

/** The version of the Deno whose runtime the executables are on. @throws {Failure} */
export async function runtimeVersion(): Promise<string> {
  const text = await tool("ask Deno for its version", [compiler, "--version"]);
  return /^deno (\S+)/.exec(text)?.[1] ?? "unknown";
}

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
 * @returns the libraries that are in them
 * @throws {Failure} when that fails
 */
export async function compile({ target, output }: CompileOptions): Promise<Library[]> {
  const programs: Program[] = Object.values(PROGRAMS);
  const scripts = programs.map(({ script }) => script);
  const directory = resolve(output);
  await Deno.mkdir(directory, { recursive: true });
  const cache = ["cache", "--quiet", "--frozen", "--config", MANIFEST];
  await tool("cache the libraries", [
    ...[Deno.execPath(), ...cache, ...scripts.map((script) => join(root, script))],
  ]);
  const bundler = await getBundler();
  const copy = await Deno.makeTempDir();
  const all = new Map<string, Library>();
  try {
    for (const path of [...SOURCES, ...scripts]) {
      await copyTree(join(root, path), join(copy, path));
    }
    const bundles: { program: Program; files: string[] }[] = [];
    for (const program of programs) {
      const libraries = await librariesOf(join(root, program.script), MANIFEST);
      for (const library of libraries) await install(library, all, join(copy, "node_modules"));
      const bundled = join(copy, "bundles", program.executable);
      const { main, unnamed } = await bundle(bundler, program, copy, bundled);
      await Deno.writeTextFile(join(bundled, LICENSES), licenses(libraries));
      for (const { name } of Deno.readDirSync(bundled)) {
        await Deno.utime(join(bundled, name), TIME, TIME);
      }
      const files = [main, LICENSES, ...unnamed].map((name) => join(bundled, name));
      bundles.push({ program, files });
    }
    // Not before all could be bundled.
    for (const { program: { executable, permissions }, files } of bundles) {
      await compileFiles(files, permissions, join(directory, executable), target);
    }
  } finally {
    await Deno.remove(copy, { recursive: true });
  }
  return [...all.values()];
}

/** Puts a library where the bundler looks for it. @param all those that are there, by their names */
async function install(
  library: Library,
  all: Map<string, Library>,
  directory: string,
): Promise<void> {
  const { name, version, localPath } = library;
  const other = all.get(name);
  if (other?.version === version) return;
  if (other !== undefined) {
    throw new Failure(`Failed to bundle ${name} ${version}: there is ${other.version} as well`);
  }
  all.set(name, library);
  const there = join(directory, name);
  await Deno.mkdir(dirname(there), { recursive: true });
  await copyTree(localPath, there);
}

/** @param files the first is the script */
async function compileFiles(
  [main = "", ...others]: readonly string[],
  permissions: readonly string[],
  output: string,
  target: string | undefined,
): Promise<void> {
  await tool(
    `compile ${output} (a runtime that cannot be downloaded is named by DENORT_BIN, and the Deno of ` +
      "its version by DENO_OF_DENORT)",
    [
      ...[compiler, "compile", "--quiet"],
      ...["--no-config", "--no-lock", "--no-remote", "--no-npm", "--no-check"],
      // It would be read from the folder for temporary files, whoever put it there, and run.
      "--no-code-cache",
      ...(target === undefined ? [] : ["--target", target]),
      ...others.flatMap((path) => ["--include", path]),
      ...permissions,
      ...["--output", output, main],
    ],
  );
}

async function copyTree(from: string, to: string): Promise<void> {
  if (!(await Deno.stat(from)).isDirectory) return await Deno.copyFile(from, to);
  await Deno.mkdir(to);
  for await (const { name } of Deno.readDir(from)) {
    await copyTree(join(from, name), join(to, name));
  }
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
