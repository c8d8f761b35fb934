import { basename, join, resolve } from "node:path";
import { Failure } from "../failure.ts";
import manifest from "./bundler/deno.json" with { type: "json" };
import { librariesOf } from "./libraries.ts";
import type { Program } from "./programs.ts";
import { tool } from "./tools.ts";

/** What names the bundler; the lock file beside it has the digests of it for all machines. */
const MANIFEST = resolve(import.meta.dirname ?? ".", "bundler/deno.json");

/** The processors, as the bundler calls them. */
const ARCHITECTURES = { x86_64: "x64", aarch64: "arm64" };

/** Nothing else may have a say: it would look for a tsconfig.json in all directories above. */
const OPTIONS = [
  ...["--bundle", "--splitting", "--minify", "--format=esm", "--platform=node", "--target=esnext"],
  ...["--tsconfig-raw={}", "--log-level=warning"],
];

/**
 * Gets the bundler, esbuild.
 *
 * @returns its path: `$ESBUILD_BINARY_PATH` where that is set, as esbuild itself has it
 * @throws {Failure} when it cannot be had
 */
export async function getBundler(): Promise<string> {
  const given = Deno.env.get("ESBUILD_BINARY_PATH");
  if (given) return given;
  const { esbuild } = manifest.imports;
  const cache = [Deno.execPath(), "cache", "--quiet", "--frozen", "--config", MANIFEST, esbuild];
  await tool("get the bundler (ESBUILD_BINARY_PATH can name one)", cache);
  const name = `@esbuild/${Deno.build.os}-${ARCHITECTURES[Deno.build.arch]}`;
  const binary = (await librariesOf(esbuild, MANIFEST)).find((library) => library.name === name);
  if (binary === undefined) throw new Failure(`There is no bundler for this machine: ${name}`);
  return join(binary.localPath, "bin/esbuild");
}

/**
 * Bundles a program: its script, its Workers, and what is loaded only when it comes to that, each
 * with what it needs.
 *
 * @param root has the sources, and the libraries in `node_modules`
 * @param to the directory that gets the bundle
 * @returns the file of the script there, and those that nothing in it names
 * @throws {Failure} when that fails
 */
export async function bundle(
  bundler: string,
  { script, workers = [] }: Program,
  root: string,
  to: string,
): Promise<{ main: string; unnamed: string[] }> {
  for (const entry of [script, ...workers]) {
    // It names parts after where it found them from where it works.
    await tool(`bundle ${entry}`, [bundler, entry, ...OPTIONS, `--outdir=${to}`], { cwd: root });
  }
  const unnamed = [];
  for (const worker of workers) {
    // By that name it is started.
    const name = basename(worker);
    await Deno.writeTextFile(join(to, name), `import "./${name.replace(/ts$/, "js")}";\n`);
    unnamed.push(name);
  }
  return { main: script.replace(/ts$/, "js"), unnamed };
}
