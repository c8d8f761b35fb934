import { join } from "node:path";
import { Failure } from "../failure.ts";
import { tool } from "./tools.ts";

/** A library, as it lies in Deno's cache. */
export interface Library {
  readonly name: string;
  readonly version: string;
  /** The directory that has it. */
  readonly localPath: string;
}

/** What `deno info --json` says, as far as libraries are concerned. */
interface Info {
  readonly modules: readonly { readonly npmPackage?: string }[];
  readonly npmPackages: Readonly<Record<string, Library & { dependencies: readonly string[] }>>;
}

/**
 * The libraries that a script needs, and those that they need.
 *
 * @param script its path, or the name of a library; what it needs is in Deno's cache
 * @throws {Failure} when they cannot be had
 */
export async function librariesOf(script: string, config: string): Promise<Library[]> {
  const asked = ["info", "--json", "--config", config, script];
  const text = await tool(`find the libraries of ${script}`, [Deno.execPath(), ...asked]);
  const { modules, npmPackages } = JSON.parse(text) as Info;
  const needed = new Set(modules.flatMap(({ npmPackage }) => npmPackage ?? []));
  const found: Library[] = [];
  for (const id of needed) {
    const library = npmPackages[id];
    if (library === undefined) continue;
    found.push(library);
    for (const dependency of library.dependencies) needed.add(dependency);
  }
  return found.sort((one, other) => one.name < other.name ? -1 : 1);
}

/**
 * The licenses of libraries, which ask for going with every copy.
 *
 * @throws {Failure} when one has none
 */
export function licenses(libraries: readonly Library[]): string {
  const texts = libraries.map((library) =>
    `${library.name} ${library.version}\n\n${licenseOf(library)}\n`
  );
  return texts.join(`\n${"-".repeat(72)}\n\n`);
}

function licenseOf({ name, version, localPath }: Library): string {
  const files = [...Deno.readDirSync(localPath)].filter((entry) =>
    entry.isFile && /^licen[cs]e/i.test(entry.name)
  );
  if (files.length === 0) throw new Failure(`${name} ${version} says nothing of its license`);
  return files.map((file) => file.name).sort()
    .map((file) => Deno.readTextFileSync(join(localPath, file)).trim()).join("\n\n");
}
