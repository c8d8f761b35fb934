/**
 * Calls of the C library whose results show whether a length that is declared as a 32-bit integer
 * reached it as the 64-bit one it takes: with anything in the upper half it would be huge.
 *
 * As a Worker it calls them in a thread of its own, and sends what went wrong.
 *
 * @module
 */

import { libc } from "../../lib/linux/libc.ts";
import { closePipe, makePipe, SPLICE_F_NONBLOCK } from "../../lib/linux/pipe.ts";

/** So often that a call is made in the fast way that Deno has for hot code. */
const OFTEN = 100_000;

const { labs, memchr, strnlen } = Deno.dlopen("libc.so.6", {
  labs: { parameters: ["u32"], result: "i64" },
  memchr: { parameters: ["buffer", "i32", "u32"], result: "pointer" },
  strnlen: { parameters: ["buffer", "u32"], result: "u32" },
}).symbols;

/** What does not hold, in words. */
export function wrongLengths(): string[] {
  return [...wrongResults(), ...wrongText(), ...wrongSearches(), ...wrongMoves()];
}

/** labs(3) gives back all 64 bits that it got. */
function wrongResults(): string[] {
  const wrong: string[] = [];
  for (let count = 0; count < OFTEN; count++) {
    const length = Math.floor((2 ** 31 - 1) * count / (OFTEN - 1));
    const got = labs(length);
    if (got !== BigInt(length)) wrong.push(`${length} came as ${got}`);
  }
  return wrong;
}

/** strnlen(3) looks no further than it is told. */
function wrongText(): string[] {
  const wrong: string[] = [];
  const text = new Uint8Array(4096).fill(120);
  text[text.length - 1] = 0;
  for (let count = 0; count < OFTEN; count++) {
    const length = count % text.length;
    const got = strnlen(text, length);
    if (got !== length) wrong.push(`of ${length} bytes ${got} were looked at`);
  }
  return wrong;
}

/** memchr(3) finds nothing behind the end, which here comes third. */
function wrongSearches(): string[] {
  const wrong: string[] = [];
  const bytes = new Uint8Array(4096);
  bytes[bytes.length - 1] = 1;
  for (let count = 0; count < OFTEN; count++) {
    const length = count % bytes.length;
    if (memchr(bytes, 1, length) !== null) wrong.push(`something was found behind ${length} bytes`);
  }
  return wrong;
}

/** splice(2) moves no more than it is told, which here comes fifth. */
function wrongMoves(): string[] {
  const wrong: string[] = [];
  const [from, to] = [makePipe(65536), makePipe(65536)];
  if (from === null || to === null) throw new Error("There are no pipes");
  const bytes = new Uint8Array(512);
  const room = new Uint8Array(1024);
  for (let count = 0; count < OFTEN; count++) {
    const length = 1 + count % 256;
    libc.write(from.writer, bytes, bytes.length);
    const moved = libc.splice(from.reader, null, to.writer, null, length, SPLICE_F_NONBLOCK);
    if (moved !== length) wrong.push(`of ${length} bytes ${moved} were moved`);
    const rest = libc.read(from.reader, room, room.length);
    const taken = libc.read(to.reader, room, length);
    if (rest + taken !== bytes.length) wrong.push(`${rest} and ${taken} bytes are left`);
  }
  closePipe(from);
  closePipe(to);
  return wrong;
}

const worker = globalThis as unknown as {
  WorkerGlobalScope?: unknown;
  postMessage(message: string[]): void;
};
if (worker.WorkerGlobalScope !== undefined) worker.postMessage(wrongLengths());
