/**
 * Makes a release: `deno task release [--target TARGET…] [--output DIR]`.
 *
 * For each target an archive, for Linux a Debian package as well where `dpkg-deb` is there, and
 * `SHA256SUMS`. The same sources on the same runtime give the same bytes, with the same versions of
 * `zstd` and `dpkg-deb`, and with our own bundler.
 *
 * @module
 */

import { basename, join, resolve } from "node:path";
import { program, run } from "../command_line.ts";
import { VERSION } from "../version.ts";
import { packArchive } from "./archive.ts";
import { compile, runtimeVersion } from "./compile.ts";
import { type Content, type Shell, SHELLS } from "./content.ts";
import { packDebian } from "./debian.ts";
import { licenses } from "./libraries.ts";
import { PROGRAMS } from "./programs.ts";
import { releaseTime } from "./release_time.ts";
import { targetsOf } from "./targets.ts";
import { tool } from "./tools.ts";

const root = resolve(import.meta.dirname ?? ".", "../..");

/** What to release. */
export interface ReleaseOptions {
  /** Names of targets; none for all that there is a runtime for. */
  readonly target: readonly string[];
  /** The directory that everything is put in. */
  readonly output: string;
}

/**
 * Makes a release.
 *
 * @returns the paths of what was made
 * @throws {Failure} when that fails
 */
export async function release({ target: wanted, output }: ReleaseOptions): Promise<string[]> {
  const targets = await targetsOf(wanted, Deno.env.get("DENORT_BIN"));
  const directory = resolve(output);
  const executables = join(directory, ".executables");
  const made: string[] = [];
  try {
    const time = await releaseTime();
    const manual = join(executables, "man");
    const rest = {
      version: VERSION,
      deno: await runtimeVersion(),
      completions: await completions(),
      manuals: await manuals(manual, time),
      time,
    };
    for (const target of targets) {
      const libraries = await compile({ target: target.name, output: executables });
      const content = { ...rest, target, executables, licenses: licenses(libraries) };
      made.push(await packArchive(content, directory));
      if (target.debian !== null) made.push(...await debianOf(content, directory));
    }
  } finally {
    for (const path of [executables, join(directory, ".archive")]) {
      await Deno.remove(path, { recursive: true }).catch(() => {});
    }
  }
  const sums = join(directory, "SHA256SUMS");
  await Deno.writeTextFile(sums, (await Promise.all(made.map(sum))).join(""));
  return [...made, sums];
}

async function debianOf(content: Content, directory: string): Promise<string[]> {
  try {
    await new Deno.Command("dpkg-deb", { args: ["--version"] }).output();
  } catch {
    // deno-lint-ignore no-console
    console.error("release: No Debian package: there is no dpkg-deb");
    return [];
  }
  return [await packDebian(content, directory)];
}

async function sum(path: string): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", await Deno.readFile(path));
  return `${new Uint8Array(digest).toHex()}  ${basename(path)}\n`;
}

/** The scripts that complete proxyctl, from source: it may be released for another machine. */
export async function completions(): Promise<Record<Shell, string>> {
  const { script, permissions } = PROGRAMS.proxyctl;
  const command = [Deno.execPath(), "run", "--quiet", ...permissions, join(root, script)];
  const scripts = SHELLS.map(async (shell) => {
    const text = await tool(`complete in ${shell}`, [...command, "completions", shell]);
    return [shell, text] as const;
  });
  return Object.fromEntries(await Promise.all(scripts)) as Record<Shell, string>;
}

/**
 * The manual pages by the names of the programs, from source as well.
 *
 * @param directory where they are written on the way
 */
export async function manuals(directory: string, time: Date): Promise<Record<string, string>> {
  const command = [Deno.execPath(), "run", "--quiet", "--allow-all"];
  const paths = await tool(
    "write the manual pages",
    [...command, join(root, "lib/manual/main.ts"), "--output", directory],
    { env: { SOURCE_DATE_EPOCH: `${time.getTime() / 1000}` } },
  );
  const pages = paths.trim().split("\n").map(async (path) =>
    [basename(path, ".1"), await Deno.readTextFile(path)] as const
  );
  return Object.fromEntries(await Promise.all(pages));
}

if (import.meta.main) {
  await run("release", async () => {
    const command = program("release")
      .description("Makes an archive and a Debian package of the executables.")
      .option(
        "--target <target>",
        "as of deno compile, can be repeated (default: all that there is a runtime for)",
        (name: string, others: readonly string[]) => [...others, name],
        [],
      )
      .option("--output <directory>", "where they are put", "dist")
      .parse(Deno.args, { from: "user" });
    for (const path of await release(command.opts<ReleaseOptions>())) {
      // deno-lint-ignore no-console
      console.log(path);
    }
    return 0;
  });
}
