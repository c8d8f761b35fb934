/**
 * Builds components of the example.
 *
 * @module
 */

import { join } from "node:path";
import { type Nix, ROOT } from "../nix.ts";

/** Where Dysnomia is: a stand-in, or the one that `$DYSNOMIA` names. */
export const DYSNOMIA = Deno.env.get("DYSNOMIA") ?? join(ROOT, "tests/nix/dysnomia");

/** Dysnomia's modules for process managers. */
export type ProcessType = "process" | "supervisord-program" | "systemd-unit";

/** A component of the example: a proxy if it has an upstream, else a server. */
export interface Description {
  readonly processType: ProcessType;
  readonly port: number;
  /** Where all its files are. */
  readonly state: string;
  /** The package with the executables. */
  readonly programs: string;
  /** The port of the server behind a proxy. */
  readonly upstream?: number;
  /** Parameters of its package. */
  readonly options?: PackageOptions;
  /** What stands before the command of the process. */
  readonly before: readonly string[];
  /** Options before those that it has. */
  readonly args: readonly string[];
  /** To whom the proxy's directory is given. */
  readonly owner?: number;
}

/** Parameters of a package; texts are durations. */
export interface PackageOptions {
  readonly portTimeout?: string;
  readonly drainTimeout?: string;
  readonly lease?: string;
  readonly parkTime?: string;
  readonly waitUpstream?: string;
  readonly connectTimeout?: string;
  readonly stopTimeout?: string;
  readonly suspendQuiet?: string;
  readonly abortOnClose?: boolean;
}

/** Builds components. @returns their store paths */
export async function build(nix: Nix, descriptions: readonly Description[]): Promise<string[]> {
  const files = await Promise.all(descriptions.map(async (description) => {
    const file = join(nix.directory, `${crypto.randomUUID()}.json`);
    await Deno.writeTextFile(file, JSON.stringify({ options: {}, ...description }));
    return file;
  }));
  return await nix.build(
    `map (description: import ${join(import.meta.dirname ?? ".", "component.nix")} {
      inherit stub root description;
      dysnomia = "${DYSNOMIA}";
    }) [ ${files.join(" ")} ]`,
  );
}
