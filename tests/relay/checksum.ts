import { crc32 } from "node:zlib";

/**
 * Of bytes that came in pieces: which they were, and in which order. A cryptographic one would cost more
 * than the relay that carries them.
 */
export class Checksum {
  value = 0;

  update(bytes: Uint8Array): void {
    this.value = crc32(bytes, this.value);
  }
}
