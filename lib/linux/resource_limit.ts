import { checked } from "./errno.ts";
import { libc } from "./libc.ts";

/** RLIMIT_NOFILE (asm-generic/resource.h). */
const RLIMIT_NOFILE = 7;

/** struct rlimit: two 64-bit integers, the limit in force and how far it may be raised. */
const limit = new Uint8Array(16);
const limits = new BigUint64Array(limit.buffer);

/**
 * Raises the limit for open descriptors as far as we may, but not beyond what is wanted; root may go
 * beyond the hard limit.
 *
 * @returns the limit that is in force now
 */
export function raiseDescriptorLimit(wanted: number): number {
  checked("getrlimit", libc.getrlimit(RLIMIT_NOFILE, limit));
  const [current = 0n, hardest = 0n] = limits;
  const aim = BigInt(wanted);
  if (current >= aim) return Number(current);
  for (const soft of [aim, hardest]) {
    limits[0] = soft;
    limits[1] = soft > hardest ? soft : hardest;
    if (libc.setrlimit(RLIMIT_NOFILE, limit) === 0) return Number(soft);
  }
  return Number(current);
}
