import { Broken } from "./broken.ts";
import type { Moves } from "./moves.ts";

/** Which versions of a service may be seen, by whom, and which were. */
export class Versions {
  /** @param moves of the connections to it */
  constructor(readonly moves: Moves) {}

  /** What those may see at the least who connect now. */
  #lowest = 1;
  /** What anybody may see at the most. */
  #highest = 1;
  readonly #answered = new Map<number, number>();
  #listeners: (() => void)[] = [];
  /** For each version, when its last connection closed, by `performance.now()`. */
  readonly lastCloses = new Map<number, number>();

  /** Whoever connects from now on may only see this version, or a later one. */
  holding(next: number): void {
    this.#lowest = next;
  }

  /** From now on this version may be seen. */
  opening(version: number): void {
    this.#highest = version;
  }

  /** What those see at the least who ask now, and are not served by an earlier connection. */
  get highest(): number {
    return this.#highest;
  }

  /** Somebody connects. */
  connect(): Seen {
    return new Seen(this, this.#lowest);
  }

  /** @throws {Broken} if nobody may see this version yet */
  checkNotTooNew(version: number): void {
    if (version <= this.#highest) return;
    throw new Broken(
      "wrong",
      `v${version} answered before it was resumed, after v${this.#highest}`,
    );
  }

  /** Waits until a version has answered so many connections. */
  async answered(version: number, count: number): Promise<void> {
    while ((this.#answered.get(version) ?? 0) < count) {
      await new Promise<void>((resolve) => this.#listeners.push(resolve));
    }
  }

  /** A version has answered a connection, for the first time. */
  answer(version: number): void {
    this.#answered.set(version, (this.#answered.get(version) ?? 0) + 1);
    const listeners = this.#listeners;
    this.#listeners = [];
    for (const listener of listeners) listener();
  }
}

/** The version that one connection sees. */
export class Seen {
  #version: number | null = null;

  constructor(private readonly versions: Versions, private readonly lowest: number) {}

  /** It is answered by a version. @throws {Broken} if that must not be */
  by(text: string): void {
    const version = versionOf(text);
    const first = this.#version ?? version;
    if (version !== first) throw new Broken("wrong", `v${first} and v${version} on one connection`);
    if (version < this.lowest) {
      const came = `a client that came after it was held for v${this.lowest}`;
      throw new Broken("wrong", `v${version} answered ${came}`);
    }
    this.versions.checkNotTooNew(version);
    if (this.#version === null) this.versions.answer(version);
    this.#version = version;
  }

  /** It is closed. */
  closed(): void {
    if (this.#version !== null) this.versions.lastCloses.set(this.#version, performance.now());
  }
}

/** The versions that one connection sees which outlives them. */
export class SeenByOne {
  #last = 0;

  constructor(private readonly versions: Versions) {}

  /**
   * It is answered by a version.
   *
   * @param lowest what there was when it asked
   * @throws {Broken} if that must not be
   */
  by(text: string, lowest: number): void {
    const version = versionOf(text);
    const least = Math.max(lowest, this.#last);
    if (version < least) {
      throw new Broken("wrong", `v${version} answered who had asked when there was v${least}`);
    }
    this.versions.checkNotTooNew(version);
    if (version > this.#last) this.versions.answer(version);
    this.#last = version;
  }
}

/** @throws {Broken} if no version says so */
function versionOf(text: string): number {
  const version = Number(/^v(\d+)$/.exec(text)?.[1] ?? NaN);
  if (Number.isNaN(version)) throw new Broken("wrong", `answered ${JSON.stringify(text)}`);
  return version;
}
