/**
 * Where new connections go: written by the main thread, read by those that carry bytes.
 *
 * @module
 */

/** The most addresses of a service that are tried. */
const MOST_ADDRESSES = 16;
/** Each in this many bytes: its length in the first four, then the address. */
const ADDRESS_ROOM = 32;

/** In {@linkcode TargetMemory}: odd while it is being written, so that nobody reads half of it. */
const SEQUENCE = 0;
const NUMBER = 1;
const LOOKED_UP = 2;
const COUNT = 3;
const HEADER_WORDS = 4;

/** Where new connections go, as a thread has read it. */
export interface Target {
  /** Another number is another service. */
  readonly number: number;
  /** Whether the addresses are known by now, or known not to be had. */
  readonly lookedUp: boolean;
  /** As the kernel takes them, in the order in which they should be tried. */
  readonly addresses: Uint8Array<ArrayBuffer>[];
}

/** Where new connections go; written by the main thread. */
export class TargetMemory {
  readonly #words: Int32Array<SharedArrayBuffer>;
  readonly #bytes: Uint8Array<SharedArrayBuffer>;

  /** @param buffer as another thread made it; none makes it */
  constructor(
    readonly buffer: SharedArrayBuffer = new SharedArrayBuffer(
      HEADER_WORDS * 4 + MOST_ADDRESSES * ADDRESS_ROOM,
    ),
  ) {
    this.#words = new Int32Array(buffer);
    this.#bytes = new Uint8Array(buffer, HEADER_WORDS * 4);
  }

  write({ number, lookedUp, addresses }: Target): void {
    Atomics.add(this.#words, SEQUENCE, 1);
    const some = addresses.slice(0, MOST_ADDRESSES);
    this.#words[NUMBER] = number;
    this.#words[LOOKED_UP] = lookedUp ? 1 : 0;
    this.#words[COUNT] = some.length;
    for (const [index, address] of some.entries()) {
      this.#bytes[index * ADDRESS_ROOM] = address.length;
      this.#bytes.set(address, index * ADDRESS_ROOM + 4);
    }
    Atomics.add(this.#words, SEQUENCE, 1);
  }

  /** Changes whenever it is written. */
  get version(): number {
    return Atomics.load(this.#words, SEQUENCE);
  }

  /** What was written last. */
  read(): Target {
    for (;;) {
      const before = Atomics.load(this.#words, SEQUENCE);
      const addresses = Array.from({ length: this.#words[COUNT] as number }, (_, index) => {
        const start = index * ADDRESS_ROOM;
        return new Uint8Array(
          this.#bytes.slice(start + 4, start + 4 + (this.#bytes[start] as number)),
        );
      });
      const target = {
        number: this.#words[NUMBER] as number,
        lookedUp: this.#words[LOOKED_UP] === 1,
        addresses,
      };
      // A load would not keep what was read above from being read after it (aarch64).
      const after = Atomics.add(this.#words, SEQUENCE, 0);
      if (before % 2 === 0 && after === before) return target;
    }
  }
}
