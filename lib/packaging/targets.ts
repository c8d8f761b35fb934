/**
 * What executables can be made for.
 *
 * @module
 */

import { Failure } from "../failure.ts";

/** A kind of machine, by the names that others have for it. */
export interface Target {
  /** As of `deno compile`. */
  readonly name: string;
  /** Debian's name for the processor; `null` where there is no Debian. */
  readonly debian: string | null;
  /** What the executables need there, to go on with after "they need". */
  readonly needs: string;
  /** How a runtime for it begins: the bytes at these places. */
  readonly begin: readonly (readonly [at: number, byte: number])[];
}

const LINUX = "glibc 2.27 or later (not musl) and a mounted /proc";
const MACOS = "macOS";

/** The first bytes of an ELF file, and the first of `e_machine` (elf(5), elf.h). */
const elf = (machine: number) => [[0, 0x7f], [1, 0x45], [18, machine]] as const;

/** The magic number of a Mach-O file, and the first byte of its processor (mach-o/loader.h). */
const machO = (processor: number) => [[0, 0xcf], [1, 0xfa], [4, processor]] as const;

/** All targets. */
export const TARGETS: readonly Target[] = [
  { name: "x86_64-unknown-linux-gnu", debian: "amd64", needs: LINUX, begin: elf(62) },
  { name: "aarch64-unknown-linux-gnu", debian: "arm64", needs: LINUX, begin: elf(183) },
  { name: "x86_64-apple-darwin", debian: null, needs: MACOS, begin: machO(7) },
  { name: "aarch64-apple-darwin", debian: null, needs: MACOS, begin: machO(12) },
];

/**
 * The targets that a release is for.
 *
 * @param wanted their names; none for all that there is a runtime for
 * @param runtime the path of the only one there is; else Deno downloads them
 * @throws {Failure} when there is no such target, or no runtime for it
 */
export async function targetsOf(
  wanted: readonly string[],
  runtime: string | undefined,
): Promise<Target[]> {
  const names = TARGETS.map(({ name }) => name).join(", ");
  const targets = wanted.map((wish) => {
    const target = TARGETS.find(({ name }) => name === wish);
    if (target === undefined) throw new Failure(`There is no target "${wish}", but ${names}`, 2);
    return target;
  });
  if (runtime === undefined) return targets.length === 0 ? [...TARGETS] : targets;
  const only = await targetOf(runtime);
  if (only === undefined) {
    throw new Failure(`DENORT_BIN is ${runtime}, which is no runtime for any of ${names}`);
  }
  const other = targets.find((target) => target !== only);
  if (other === undefined) return [only];
  throw new Failure(
    `No runtime for ${other.name}: DENORT_BIN is one for ${only.name}; name another, or none, to ` +
      "have Deno download it",
  );
}

async function targetOf(runtime: string): Promise<Target | undefined> {
  const bytes = new Uint8Array(20);
  try {
    using file = await Deno.open(runtime);
    await file.read(bytes);
  } catch {
    return undefined;
  }
  return TARGETS.find(({ begin }) => begin.every(([at, byte]) => bytes[at] === byte));
}
