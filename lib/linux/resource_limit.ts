import { checked } from "./errno.ts";
import { libc } from "./libc.ts";

/** RLIMIT_NOFILE (asm-generic/resource.h). */
export const RLIMIT_NOFILE = 7;

/**
 * struct rlimit, in 64-bit integers: the limit in force, and how far it may be raised
 * (getrlimit(2)).
 */
export const RLIMIT = { words: 2, current: 0, hardest: 1 } as const;

const limit = new Uint8Array(RLIMIT.words * 8);
const limits = new BigUint64Array(limit.buffer);

/**
 * Raises the limit for open descriptors as far as we may, but not beyond what is wanted; root may go
 * beyond the hard limit.
 *
 * @returns the limit that is in force now
 */
export function raiseDescriptorLimit(wanted: number): number {
  checked("getrlimit", libc.getrlimit(RLIMIT_NOFILE, limit));
  const current = limits[RLIMIT.current] ?? 0n;
  const hardest = limits[RLIMIT.hardest] ?? 0n;
  const aim = BigInt(wanted);
  if (current >= aim) return Number(current);
  for (const soft of [aim, hardest]) {
    limits[RLIMIT.current] = soft;
    limits[RLIMIT.hardest] = soft > hardest ? soft : hardest;
    if (libc.setrlimit(RLIMIT_NOFILE, limit) === 0) return Number(soft);
  }
  return Number(current);
}
