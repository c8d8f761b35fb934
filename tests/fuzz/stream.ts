/**
 * The bytes that go through a relay: random to look at, and known to whoever knows where in one
 * long table they begin.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { Random } from "../storm/random.ts";

/** After so many bytes a stream repeats. A prime: no multiple of the size of any buffer or pipe. */
export const PERIOD = 4_194_301;

/** The most bytes that are sent or received at once. */
export const LONGEST_PIECE = 1 << 18;

/** How many bytes a number takes. */
export const NUMBER_LENGTH = 4;

/** How many bytes are enough to find their place in the table. */
const FINGERPRINT = 16;

const table = makeTable();

/** What one end sends and the other expects. */
export class Stream {
  readonly #start: number;
  readonly #number: Uint8Array<ArrayBuffer>;

  /**
   * @param start where in the table it begins
   * @param number that of the connection, if the stream begins with it
   */
  constructor(start: number, number: number | null) {
    this.#start = start;
    this.#number = number === null ? new Uint8Array() : encodeNumber(number);
  }

  /** How many bytes say which connection this is, before all others. */
  get introduction(): number {
    return this.#number.length;
  }

  /** The bytes from an offset on: at least one, and at most so many. */
  bytes(offset: number, most: number): Uint8Array<ArrayBuffer> {
    if (offset < this.#number.length) return this.#number.subarray(offset, offset + most);
    const from = (this.#start + offset) % PERIOD;
    return table.subarray(from, from + Math.min(most, LONGEST_PIECE));
  }

  /**
   * Compares what was received, from an offset on, with what belongs there.
   *
   * @returns what is wrong; `null` if nothing is
   */
  whatIsWrong(offset: number, received: Uint8Array): string | null {
    for (let done = 0; done < received.length;) {
      const expected = this.bytes(offset + done, received.length - done);
      const piece = received.subarray(done, done + expected.length);
      if (Buffer.compare(piece, expected) !== 0) {
        const index = piece.findIndex((byte, index) => byte !== expected[index]);
        return this.#describe(offset + done + index, received.subarray(done + index));
      }
      done += expected.length;
    }
    return null;
  }

  /** Whether bytes were lost, came twice, or are somebody else's shows in where they belong. */
  #describe(offset: number, received: Uint8Array): string {
    const place = Buffer.from(table.buffer).indexOf(received.subarray(0, FINGERPRINT));
    if (place === -1) return `byte ${offset} is none that anybody sent`;
    const home = (place - this.#start + PERIOD) % PERIOD;
    return `at byte ${offset} comes what belongs at byte ${home}, or to another stream`;
  }
}

/** A number as a stream begins with it. */
export function encodeNumber(number: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(NUMBER_LENGTH);
  new DataView(bytes.buffer).setUint32(0, number);
  return bytes;
}

/** The number that a stream began with. */
export function decodeNumber(bytes: Uint8Array): number {
  return new DataView(bytes.buffer, bytes.byteOffset).getUint32(0);
}

/** A period, and its beginning once more, so that every piece is in one piece. */
function makeTable(): Uint8Array<ArrayBuffer> {
  const random = new Random(0);
  const words = Uint32Array.from(
    { length: Math.ceil(PERIOD / 4) },
    () => random.between(0, 2 ** 32 - 1),
  );
  const bytes = new Uint8Array(PERIOD + LONGEST_PIECE);
  bytes.set(new Uint8Array(words.buffer, 0, PERIOD));
  bytes.copyWithin(PERIOD, 0, LONGEST_PIECE);
  return bytes;
}
