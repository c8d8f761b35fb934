import { checked } from "./errno.ts";
import { libc } from "./libc.ts";

/** Flags of pipe2(2) (bits/fcntl-linux.h). */
export const O_NONBLOCK = 0o4000;
export const O_CLOEXEC = 0o2000000;
/** Sets the size of a pipe, in bytes (F_SETPIPE_SZ, linux/fcntl.h). */
export const F_SETPIPE_SZ = 1031;

/** Flags of {@linkcode libc.splice}: move pages if possible, never wait (bits/fcntl-linux.h). */
export const SPLICE_F_MOVE = 1;
export const SPLICE_F_NONBLOCK = 2;

/** A pipe. */
export interface Pipe {
  readonly reader: number;
  readonly writer: number;
  /** How many bytes of whole pages it can hold. */
  readonly size: number;
  /** How many are in it. */
  bytes: number;
}

const both = new Int32Array(2);
const bothBytes = new Uint8Array(both.buffer);

/**
 * Makes a pipe of this size, or a smaller one if that is all the system grants (pipe(7),
 * pipe-user-pages-soft).
 *
 * @param size in bytes
 * @returns `null` if there are no descriptors for it
 */
export function makePipe(size: number): Pipe | null {
  if (libc.pipe2(bothBytes, O_NONBLOCK | O_CLOEXEC) !== 0) return null;
  const [reader = -1, writer = -1] = both;
  for (let wanted = size; wanted >= 65536; wanted /= 2) {
    const granted = libc.fcntl(writer, F_SETPIPE_SZ, wanted);
    if (granted > 0) return { reader, writer, size: granted, bytes: 0 };
  }
  closePipe({ reader, writer });
  return null;
}

/**
 * Makes a pipe of whatever size the system has.
 *
 * @throws {SystemError} when there are no descriptors for it
 */
export function openPipe(): Pick<Pipe, "reader" | "writer"> {
  checked("pipe2", libc.pipe2(bothBytes, O_NONBLOCK | O_CLOEXEC));
  const [reader = -1, writer = -1] = both;
  return { reader, writer };
}

/** Gives a pipe's descriptors back, and what is in it. */
export function closePipe({ reader, writer }: Pick<Pipe, "reader" | "writer">): void {
  libc.close(reader);
  libc.close(writer);
}
