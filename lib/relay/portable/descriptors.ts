/**
 * For how many connections there are file descriptors.
 *
 * The limit itself cannot be asked for: Deno gives /proc/self/limits only to programs that may do
 * everything, and has no getrlimit(2). (It does raise the soft limit to the hard one when it starts.)
 * So it is tried out how many can be had: few at first, and more only when they are needed.
 *
 * @module
 */

/** What the rest of the process needs: control connections, files, event loops. */
const RESERVED = 192;

/** For how many connections it is tried out at the start. */
const FIRST = 512;

/** How soon it is tried out again where there was not enough, in milliseconds. */
const AGAIN = 60_000;

/** Knows for how many connections, with two descriptors each, there is room. */
export class DescriptorRoom {
  readonly #burst: number;
  #connections = 0;
  #lackedAt = -Infinity;

  /** @param burst how many connections may be accepted before anybody asks whether there is room */
  constructor(burst: number) {
    this.#burst = burst;
    this.#tryFor(FIRST, 0);
  }

  /** For how many connections there is room, as far as is known. */
  get connections(): number {
    return this.#connections;
  }

  /**
   * Whether there is room for one more.
   *
   * @param current how many there are, each with one descriptor or two
   */
  hasRoomBeside(current: number): boolean {
    const lacking = performance.now() - this.#lackedAt < AGAIN;
    if (current >= this.#connections && !lacking) this.#tryFor(2 * current, current);
    return current < this.#connections;
  }

  #tryFor(connections: number, current: number): void {
    const reserved = this.#burst + RESERVED;
    const wanted = 2 * connections + reserved - current;
    const left = descriptorsLeft(wanted);
    if (left === wanted) {
      this.#connections = connections;
      return;
    }
    this.#lackedAt = performance.now();
    // Where there are few, at least half of them are for connections.
    const usable = left + current - this.#burst;
    const kept = Math.min(RESERVED, Math.floor(usable / 2));
    this.#connections = Math.max(1, this.#connections, Math.floor((usable - kept) / 2));
  }
}

/** How many more descriptors can be had, if it is fewer than wanted; else as many as wanted. */
function descriptorsLeft(wanted: number): number {
  const files: Deno.FsFile[] = [];
  try {
    while (files.length < wanted) files.push(Deno.openSync("/dev/null"));
  } catch {
    // There are no more: EMFILE or ENFILE.
  } finally {
    for (const file of files) file.close();
  }
  return files.length;
}
