const READABLE = 1 << 0;
const THOROUGH = 1 << 1;
const BLOCKED = 1 << 2;
const STOPPED = 1 << 3;
const LOOKS = 1 << 4;
const ENDED = 1 << 5;
const DONE = 1 << 6;
const HAS_MOVED = 1 << 7;
const IS_POSTPONED = 1 << 8;
const BULK = 1 << 9;
const DELAYS = 1 << 10;
const IS_FIRST = 1 << 11;
const DROPS = 1 << 12;

/**
 * What is so of a direction, and what is not, in one number: as fields of eight bytes each, twice a
 * connection, that would take more memory than all the rest of what a direction has.
 */
export class Flags {
  #flags = 0;

  /** Whether there may be something to read. */
  get readable(): boolean {
    return (this.#flags & READABLE) !== 0;
  }

  set readable(is: boolean) {
    this.#flags = withFlag(this.#flags, READABLE, is);
  }

  /** Whether the end may be near (or urgent data): then a short read proves nothing. */
  get thorough(): boolean {
    return (this.#flags & THOROUGH) !== 0;
  }

  set thorough(is: boolean) {
    this.#flags = withFlag(this.#flags, THOROUGH, is);
  }

  /** Whether the sink took less than it was given. */
  get blocked(): boolean {
    return (this.#flags & BLOCKED) !== 0;
  }

  set blocked(is: boolean) {
    this.#flags = withFlag(this.#flags, BLOCKED, is);
  }

  /** Whether nothing may be read for now; what was read before is still passed on. */
  get stopped(): boolean {
    return (this.#flags & STOPPED) !== 0;
  }

  set stopped(is: boolean) {
    this.#flags = withFlag(this.#flags, STOPPED, is);
  }

  /** Whether what is read next is to be looked at: then it is one piece only. */
  get looks(): boolean {
    return (this.#flags & LOOKS) !== 0;
  }

  set looks(is: boolean) {
    this.#flags = withFlag(this.#flags, LOOKS, is);
  }

  /** Whether the end was read. */
  get ended(): boolean {
    return (this.#flags & ENDED) !== 0;
  }

  set ended(is: boolean) {
    this.#flags = withFlag(this.#flags, ENDED, is);
  }

  /** Whether the end was read and everything before it has been passed on. */
  get done(): boolean {
    return (this.#flags & DONE) !== 0;
  }

  set done(is: boolean) {
    this.#flags = withFlag(this.#flags, DONE, is);
  }

  /** Whether bytes were written since somebody set it to `false`. */
  get hasMoved(): boolean {
    return (this.#flags & HAS_MOVED) !== 0;
  }

  set hasMoved(is: boolean) {
    this.#flags = withFlag(this.#flags, HAS_MOVED, is);
  }

  /** Whether it is still to be carried on, since its last turn was over. */
  get isPostponed(): boolean {
    return (this.#flags & IS_POSTPONED) !== 0;
  }

  set isPostponed(is: boolean) {
    this.#flags = withFlag(this.#flags, IS_POSTPONED, is);
  }

  /** Whether it has more to carry than small messages. */
  get isBulk(): boolean {
    return (this.#flags & BULK) !== 0;
  }

  protected set isBulk(is: boolean) {
    this.#flags = withFlag(this.#flags, BULK, is);
  }

  /** Whether the sink would keep a second small piece back until the first has arrived. */
  protected get delays(): boolean {
    return (this.#flags & DELAYS) !== 0;
  }

  protected set delays(is: boolean) {
    this.#flags = withFlag(this.#flags, DELAYS, is);
  }

  /** Whether the sink has been given nothing yet. */
  protected get isFirst(): boolean {
    return (this.#flags & IS_FIRST) !== 0;
  }

  protected set isFirst(is: boolean) {
    this.#flags = withFlag(this.#flags, IS_FIRST, is);
  }

  /** Whether what is read is dropped. */
  protected get drops(): boolean {
    return (this.#flags & DROPS) !== 0;
  }

  protected set drops(is: boolean) {
    this.#flags = withFlag(this.#flags, DROPS, is);
  }

  /** Nothing of this is so any more. */
  protected clear(): void {
    this.#flags = 0;
  }
}

/** Not a private method: for those each object has a field of its own. */
function withFlag(flags: number, flag: number, is: boolean): number {
  return is ? flags | flag : flags & ~flag;
}
