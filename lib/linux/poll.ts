import { now } from "./clock.ts";
import { EINTR, errno } from "./errno.ts";
import { libc } from "./libc.ts";

/** There is something to read, or room to write (bits/poll.h). */
const POLLIN = 1;
const POLLOUT = 4;

/** struct pollfd: a descriptor, events in 16 bits, and the events that came (poll(2)). */
function polled(descriptors: readonly number[], events = POLLIN): Int32Array<ArrayBuffer> {
  const structs = new Int32Array(2 * descriptors.length);
  for (const [index, descriptor] of descriptors.entries()) {
    structs[2 * index] = descriptor;
    structs[2 * index + 1] = events;
  }
  return structs;
}

/** Which of them something has come of. */
function ready(structs: Int32Array): number[] {
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
    if (count >= 0 || errno() !== EINTR) return ready(structs).length > 0;
  }
}

/** Whether there is room to write to a descriptor, or its other side is gone. */
export function isWritable(descriptor: number): boolean {
  const structs = polled([descriptor], POLLOUT);
  return libc.poll(new Uint8Array(structs.buffer), 1, 0) > 0;
}

/** Waits, with everything else, until one of some descriptors is readable. @returns those that are */
export function whichAreReadable(descriptors: readonly number[]): number[] {
  const structs = polled(descriptors);
  for (;;) {
    const count = libc.poll(new Uint8Array(structs.buffer), descriptors.length, -1);
    if (count >= 0) return ready(structs);
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
  return await whichBecomesReady(polled(descriptors), timeout);
}

/**
 * Waits in the background until there is room to write to a descriptor, or its other side is gone.
 *
 * @param timeout in milliseconds
 * @returns whether that is so; not when the time is over
 */
export async function becomesWritable(descriptor: number, timeout: number): Promise<boolean> {
  return (await whichBecomesReady(polled([descriptor], POLLOUT), timeout)).length > 0;
}

async function whichBecomesReady(
  structs: Int32Array<ArrayBuffer>,
  timeout: number,
): Promise<number[]> {
  const deadline = now() + timeout;
  for (let left = timeout;; left = timeout < 0 ? -1 : Math.max(0, Math.ceil(deadline - now()))) {
    const bytes = new Uint8Array(structs.buffer);
    const count = await libc.pollInBackground(bytes, structs.length / 2, left);
    // There is no errno of another thread; but a signal is the only reason to fail that there can be.
    if (count >= 0) return ready(structs);
  }
}
