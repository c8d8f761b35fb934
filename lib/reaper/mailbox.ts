/**
 * A signal that comes while a process executes another program may be lost: it can be that one of its
 * threads has already been interrupted by it, and is gone before anybody has heard of that. Until it
 * is executed the signal is therefore handled by umask(2), called with its number: what that sets
 * stays, and the program finds it.
 *
 * @module
 */

import { libc } from "../linux/libc.ts";
import { LASTING } from "./signals.ts";

/** What no signal leaves behind. */
const EMPTY = 0o777;

/** Where the C library has dlsym(3): before its version 2.34 in a library of its own. */
const LIBRARIES = ["libc.so.6", "libdl.so.2"];

/** Has signals kept for the program that this process is about to execute. */
export function openMailbox(): void {
  libc.umask(EMPTY);
  const handler = addressOf("umask");
  if (handler !== null) { for (const signal of LASTING) libc.signal(signal, handler); }
}

/** Which signal has been kept, if one was; the last of several. */
export function emptyMailbox(): number | null {
  const kept = libc.umask(0o077);
  return kept === EMPTY ? null : kept;
}

/** Where a function of the C library is; `null` if that cannot be found out. */
function addressOf(name: string): bigint | null {
  for (const library of LIBRARIES) {
    try {
      const { symbols } = Deno.dlopen(library, {
        dlsym: { parameters: ["pointer", "buffer"], result: "usize" },
      });
      // No library means all of them (RTLD_DEFAULT, dlfcn.h).
      const address = symbols.dlsym(null, new TextEncoder().encode(`${name}\0`));
      if (address !== 0n) return address;
    } catch { /* it has none */ }
  }
  return null;
}
