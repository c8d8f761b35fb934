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

/** The first that can all that is asked of it. */
const OLDEST = [0, 28];

/** Old libraries ask for modules of Node in that way, which modules of today do not have. */
const REQUIRE = "var require=(name)=>process.getBuiltinModule(name);";

const OPTIONS = [
  ...["--bundle", "--splitting", "--minify", "--format=esm", "--platform=node", "--target=esnext"],
  ...[`--banner:js=${REQUIRE}`, "--tsconfig-raw={}", "--log-level=warning"],
];

/** What in the directories above would have a say, if these were not found first. */
const NOTHING_TO_SAY = ["package.json", ".pnp.data.json"];

/**
 * Gets the bundler, esbuild: the one that `$ESBUILD_BIN` names, or that of the manifest.
 *
 * @returns its path
 * @throws {Failure} when it cannot be had
 */
export async function getBundler(): Promise<string> {
  const given = Deno.env.get("ESBUILD_BIN");
  if (given) return await checked(resolve(given));
  const { esbuild } = manifest.imports;
  const cache = [Deno.execPath(), "cache", "--quiet", "--frozen", "--config", MANIFEST, esbuild];
  await tool("get the bundler (ESBUILD_BIN can name one)", cache);
  const name = `@esbuild/${Deno.build.os}-${ARCHITECTURES[Deno.build.arch]}`;
  const binary = (await librariesOf(esbuild, MANIFEST)).find((library) => library.name === name);
  if (binary === undefined) throw new Failure(`There is no bundler for this machine: ${name}`);
  return join(binary.localPath, "bin/esbuild");
}

async function checked(path: string): Promise<string> {
  const version = (await tool("bundle with what ESBUILD_BIN names", [path, "--version"])).trim();
  const [major = 0, minor = 0] = version.split(".").map(Number);
  const [oldest = 0, least = 0] = OLDEST;
  if (major > oldest || major === oldest && minor >= least) return path;
  throw new Failure(
    `ESBUILD_BIN names esbuild ${version}: it must be ${OLDEST.join(".")} or later`,
  );
}

/**
 * Bundles a program: its script, its Workers, and what is loaded only when it comes to that, each
 * with what it needs.
 *
 * @param root has a copy of the sources, and the libraries in `node_modules`
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
  for (const name of NOTHING_TO_SAY) await Deno.writeTextFile(join(root, name), "{}");
  // Each alone: from one file a Worker starts sooner. What comes of it has names that depend on where
  // it works.
  for (const entry of [script, ...workers]) {
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
