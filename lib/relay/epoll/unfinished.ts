import type { Direction } from "./direction.ts";

/** What a direction that has much to carry may move in its turn, in bytes; */
const ALONE = 1024 * 1024;
/** and all of them together while there are small messages, which would wait for that. */
const AMONG_SMALL = 256 * 1024;
/** What one of them may move at least, in bytes: less costs more calls. */
const LEAST = 64 * 1024;
/** For how long a small message makes others likely, in milliseconds. */
const RECENT = 10;

/** Directions that have more to carry than fits in one turn of the loop, and how much that is. */
export class Unfinished {
  /** What a direction may move before it is the turn of others, in bytes. */
  most = ALONE;
  #directions: Direction[] = [];
  #taken: Direction[] = [];
  #smallAt = -Infinity;

  /** Whether there are any. */
  get any(): boolean {
    return this.#directions.length > 0;
  }

  /** A small message was carried. @param time on the clock, in milliseconds */
  sawSmall(time: number): void {
    this.#smallAt = time;
  }

  /** One has more to carry. */
  add(direction: Direction): void {
    if (direction.isPostponed) return;
    direction.isPostponed = true;
    this.#directions.push(direction);
  }

  /**
   * It is the turn of those that there are. Among small messages each may move the less, the more
   * they are.
   *
   * @param time on the clock, in milliseconds
   */
  goOn(time: number, carry: (direction: Direction) => void): void {
    const directions = this.#directions;
    this.#directions = this.#taken;
    this.#taken = directions;
    const share = Math.floor(AMONG_SMALL / Math.max(1, directions.length));
    this.most = time - this.#smallAt < RECENT ? Math.max(LEAST, share) : ALONE;
    for (let index = 0; index < directions.length; index++) {
      const direction = directions[index] as Direction;
      if (!direction.isPostponed) continue;
      direction.isPostponed = false;
      if (!direction.blocked) carry(direction);
    }
    directions.length = 0;
  }
}
