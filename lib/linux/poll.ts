import { now } from "./clock.ts";
import { EINTR, errno } from "./errno.ts";
import { libc } from "./libc.ts";

/** There is something to read (bits/poll.h). */
const POLLIN = 1;

/** struct pollfd: a descriptor, events in 16 bits, and the events that came (poll(2)). */
function polled(descriptors: readonly number[]): Int32Array<ArrayBuffer> {
  const structs = new Int32Array(2 * descriptors.length);
  for (const [index, descriptor] of descriptors.entries()) {
    structs[2 * index] = descriptor;
    structs[2 * index + 1] = POLLIN;
  }
  return structs;
}

/** Which of them something has come of. */
function readable(structs: Int32Array): number[] {
  const found = [];
  for (let index = 0; index < structs.length; index += 2) {
    if ((structs[index + 1] as number) >>> 16 !== 0) found.push(structs[index] as number);
  }
  return found;
}

/**
 * Waits, with everything else, until a descriptor is readable or its other side is gone.
 *
 * @param timeout in milliseconds
 */
export function becomesReadable(descriptor: number, timeout: number): boolean {
  const structs = polled([descriptor]);
  const deadline = now() + timeout;
  for (let left = timeout;; left = Math.max(0, Math.ceil(deadline - now()))) {
    const count = libc.poll(new Uint8Array(structs.buffer), 1, left);
    if (count >= 0 || errno() !== EINTR) return readable(structs).length > 0;
  }
}

/** Waits, with everything else, until one of some descriptors is readable. @returns those that are */
export function whichAreReadable(descriptors: readonly number[]): number[] {
  const structs = polled(descriptors);
  for (;;) {
    const count = libc.poll(new Uint8Array(structs.buffer), descriptors.length, -1);
    if (count >= 0) return readable(structs);
  }
}

/**
 * Waits in the background until one of some descriptors is readable.
 *
 * @param timeout in milliseconds; by default for as long as it takes
 * @returns those that are; none when the time is over
 */
export async function whichBecomesReadable(
  descriptors: readonly number[],
  timeout = -1,
): Promise<number[]> {
  const structs = polled(descriptors);
  const deadline = now() + timeout;
  for (let left = timeout;; left = timeout < 0 ? -1 : Math.max(0, Math.ceil(deadline - now()))) {
    const bytes = new Uint8Array(structs.buffer);
    const count = await libc.pollInBackground(bytes, descriptors.length, left);
    // There is no errno of another thread; but a signal is the only reason to fail that there can be.
    if (count >= 0) return readable(structs);
  }
}
