import type { Target } from "./targets.ts";

/** The shells that there are completions for. */
export const SHELLS = ["bash", "zsh", "fish"] as const;

/** A shell that there are completions for. */
export type Shell = typeof SHELLS[number];

/** What a release is packed of, whatever it is packed as. */
export interface Content {
  readonly version: string;
  /** The version of the Deno whose runtime the executables are on. */
  readonly deno: string;
  readonly target: Target;
  /** The directory that has the executables. */
  readonly executables: string;
  readonly completions: Readonly<Record<Shell, string>>;
  /** Those of the libraries that the executables are bundled with. */
  readonly licenses: string;
  /** Manual pages of section 1, by the names of the programs. */
  readonly manuals: Readonly<Record<string, string>>;
  /** That all files get, and its day is that of the release. */
  readonly time: Date;
}

/** Reads a file, relative to this directory. */
export async function read(path: string): Promise<string> {
  return await Deno.readTextFile(new URL(path, import.meta.url));
}

/** Puts into a text what stands in it as `@name@`. */
export function fill(
  text: string,
  { version, deno, target }: Content,
  more: Readonly<Record<string, string>> = {},
): string {
  const values: Record<string, string> = {
    version,
    target: target.name,
    needs: target.needs,
    deno,
    ...more,
  };
  return text.replace(/@(\w+)@/g, (word, name: string) => values[name] ?? word);
}
