import { basename } from "node:path";
import { EXIT } from "../exit_codes.ts";
import { messageOf } from "../message_of.ts";
import { within } from "../within.ts";
import { EVERY, Watched } from "./watched.ts";

/** How long it is waited for those who do not answer at once, in milliseconds. */
export const AT_MOST = 400;

/** For how long a proxy is shown that has gone, in milliseconds. */
const SHOWN_FOR = 15 * 60_000;

/** How often it is looked for new ones while somebody looks, in milliseconds. */
const FIND_EVERY = 3000;

/** Where proxies are looked for. */
export interface Places {
  /** The runtime directories that were named; `null` if all are meant that are found. */
  readonly named: readonly string[] | null;
  /** Those in the default places, running or not. */
  readonly find: () => Promise<readonly string[]>;
  /** Whether proxies of other users are shown as well. */
  readonly ofOthers: boolean;
  /** Is told of what goes wrong. */
  readonly tell: (message: string) => void;
}

/** The proxies that are shown. */
export class Proxies {
  readonly #places: Places;
  readonly #all = new Map<string, Watched>();
  #foundAt = -Infinity;
  #finding: Promise<void> | null = null;

  constructor(places: Places) {
    this.#places = places;
  }

  /** How many are not shown because they are other users'. */
  get notShown(): number {
    return [...this.#all.values()].filter(({ isOthers }) => isOthers).length;
  }

  /** Those that are shown: that were named, or have been seen to run. */
  get all(): Watched[] {
    const isNamed = this.#places.named !== null;
    return [...this.#all.values()].filter(({ status, failure, isDenied, isOthers }) =>
      !isOthers && isNamed || status !== null ||
      (failure !== null && !isDenied && failure.exitCode !== EXIT.noProxy)
    );
  }

  /** The one of this name. */
  of(name: string): Watched | undefined {
    return this.all.find((one) => one.name === name);
  }

  /** Looks at all of them, unless that was done just now. Those that are slow are not waited for. */
  async look(): Promise<void> {
    await this.find(EVERY);
    await within(Promise.all([...this.#all.values()].map((one) => one.look())), AT_MOST);
  }

  /** Looks for new ones, unless that was done so many milliseconds ago. Does not throw. */
  async find(age = FIND_EVERY): Promise<void> {
    if (performance.now() - this.#foundAt < age) return;
    this.#finding ??= this.#find().catch((error: unknown) => {
      this.#places.tell(`Failed to look for proxies: ${messageOf(error)}`);
    }).finally(() => this.#finding = null);
    await this.#finding;
  }

  /** Has all of them looked at again and again, new ones too. @returns ends that */
  follow(changed: () => void): () => void {
    const followed = new Map<Watched, () => void>();
    const followAll = async () => {
      await this.find();
      for (const one of this.#all.values()) {
        if (!followed.has(one)) followed.set(one, one.follow(null, changed));
      }
    };
    const timer = setInterval(() => void followAll(), FIND_EVERY);
    void followAll();
    return () => {
      clearInterval(timer);
      for (const stop of followed.values()) stop();
      followed.clear();
    };
  }

  async #find(): Promise<void> {
    const { named, find } = this.#places;
    const now = performance.now();
    this.#foundAt = now;
    for (const directory of named ?? await find()) {
      if (this.#all.has(directory)) continue;
      const { ofOthers } = this.#places;
      this.#all.set(directory, new Watched(directory, this.#nameFor(directory), ofOthers));
    }
    if (named !== null) return;
    for (const [directory, { answeredAt, failure }] of this.#all) {
      if (failure !== null && now - answeredAt > SHOWN_FOR) this.#all.delete(directory);
    }
  }

  /** The name of its directory, which is where it listens; another one if that is taken. */
  #nameFor(directory: string): string {
    const name = basename(directory) || "root";
    const taken = new Set([...this.#all.values()].map((one) => one.name));
    for (let count = 1;; count++) {
      const candidate = count === 1 ? name : `${name}~${count}`;
      if (!taken.has(candidate)) return candidate;
    }
  }
}
