/** What the rest of the process needs besides the relay: control connections, files, event loops. */
const RESERVED = 192;

/** Where the limit cannot be read; macOS allows no fewer without asking. */
const UNKNOWN_LIMIT = 256;

/**
 * How many file descriptors this process may have. (Deno raises the soft limit to the hard one when
 * it starts.)
 *
 * Source: proc_pid_limits(5).
 */
export function descriptorLimit(): number {
  try {
    const limits = Deno.readTextFileSync("/proc/self/limits");
    const soft = /^Max open files\s+(\d+|unlimited)/m.exec(limits)?.[1];
    return soft === "unlimited" ? Number.MAX_SAFE_INTEGER : Number(soft ?? UNKNOWN_LIMIT);
  } catch {
    return UNKNOWN_LIMIT;
  }
}

/** For how many connections, with two descriptors each, there is room. */
export function connectionCapacity(limit: number): number {
  const reserved = Math.min(RESERVED, Math.floor(limit / 2));
  return Math.max(1, Math.floor((limit - reserved) / 2));
}
