/**
 * Bytes in, lines out: the framing that both sides of the protocol share. No input or output here.
 *
 * @module
 */

const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;

/** A line has grown longer than it may; nothing can be decoded after it. */
export class LineTooLong extends Error {
  override name = "LineTooLong";
}

/**
 * Cuts bytes, which may arrive in any pieces, into lines that end in LF or CRLF.
 *
 * It keeps a copy of the line that is not yet complete and nothing else, so it never holds more
 * than the limit and one piece.
 */
export class LineDecoder {
  #kept: Uint8Array[] = [];
  #keptLength = 0;

  /** @param limit how many bytes a line may have, its ending not counted */
  constructor(readonly limit: number) {}

  /**
   * Yields the lines that this piece completes, without their endings. It is lazy: whoever stops
   * early has given up what follows.
   *
   * @throws {LineTooLong} as soon as a line is, after all lines before it
   */
  *decode(piece: Uint8Array): Generator<Uint8Array, void> {
    let start = 0;
    for (;;) {
      const end = piece.indexOf(LINE_FEED, start);
      if (end === -1) break;
      yield this.#take(piece.subarray(start, end));
      start = end + 1;
    }
    if (start < piece.length) this.#keep(piece.subarray(start));
  }

  /**
   * What came after the last ending, once nothing more will come; `null` when nothing did.
   *
   * @throws {LineTooLong} when a carriage return had kept that open
   */
  end(): Uint8Array | null {
    return this.#keptLength === 0 ? null : this.#take(new Uint8Array());
  }

  #keep(piece: Uint8Array): void {
    // A carriage return at the very end may yet turn out to be half of the ending.
    const pending = piece.at(-1) === CARRIAGE_RETURN ? 1 : 0;
    this.#check(this.#keptLength + piece.length - pending);
    this.#kept.push(piece.slice());
    this.#keptLength += piece.length;
  }

  #take(last: Uint8Array): Uint8Array {
    const line = this.#keptLength === 0 ? last : this.#join(last);
    this.#kept = [];
    this.#keptLength = 0;
    const content = line.at(-1) === CARRIAGE_RETURN ? line.subarray(0, -1) : line;
    this.#check(content.length);
    return content;
  }

  #join(last: Uint8Array): Uint8Array {
    const line = new Uint8Array(this.#keptLength + last.length);
    let length = 0;
    for (const piece of [...this.#kept, last]) {
      line.set(piece, length);
      length += piece.length;
    }
    return line;
  }

  #check(length: number): void {
    if (length > this.limit) throw new LineTooLong(`A line has more than ${this.limit} bytes`);
  }
}
