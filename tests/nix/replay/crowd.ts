import type { Address } from "../../../lib/address.ts";
import { Peer } from "../../relay/peer.ts";
import { pause } from "../../relay/waiting.ts";
import { answerOf } from "./example.ts";

/** What somebody was answered who came, and when that was, by `performance.now()`. */
export interface Visit {
  readonly began: number;
  readonly answered: number;
  readonly answer: string;
}

/** What a crowd has seen. */
export interface Receipt {
  /** How many visits came to a good end. */
  readonly visits: number;
  /** What went wrong in all others. */
  readonly faults: readonly string[];
  /** Those that were answered, in that order. */
  readonly answered: readonly Visit[];
  /** The longest that anybody waited for the first answer, in milliseconds. */
  readonly longest: number;
}

/** Clients that come, stay for some answers, go, and come again. */
export class Crowd {
  readonly #faults: string[] = [];
  readonly #answered: Visit[] = [];
  readonly #clients: Promise<void>[];
  #visits = 0;
  #longest = 0;
  #changed = Promise.withResolvers<void>();
  #isOver = false;

  /** @param count how many there are */
  constructor(private readonly address: Address, readonly count: number) {
    this.#clients = Array.from({ length: count }, (_, number) => this.#live(number));
  }

  /** Waits until so many visits more are over. */
  async visits(count: number): Promise<void> {
    const enough = this.#visits + this.#faults.length + count;
    while (this.#visits + this.#faults.length < enough) await this.#changed.promise;
  }

  /** Lets all visits come to their end. */
  async leave(): Promise<Receipt> {
    this.#isOver = true;
    await Promise.all(this.#clients);
    return {
      visits: this.#visits,
      faults: this.#faults,
      answered: this.#answered,
      longest: this.#longest,
    };
  }

  async #live(number: number): Promise<void> {
    for (let visit = 0; !this.#isOver; visit++) {
      try {
        await this.#visit(number, visit);
        this.#visits++;
      } catch (error) {
        this.#faults.push(`${error}`);
      }
      this.#changed.resolve();
      this.#changed = Promise.withResolvers();
    }
  }

  async #visit(number: number, visit: number): Promise<void> {
    const began = performance.now();
    let first: string | null = null;
    using peer = await Peer.connect(this.address);
    for (let question = 0; question <= visit % 3; question++) {
      await peer.send("hello\n");
      const answer = await peer.read(answerOf(1).length);
      if (first === null) {
        first = answer;
        const answered = performance.now();
        this.#answered.push({ began, answered, answer });
        this.#longest = Math.max(this.#longest, answered - began);
      } else if (answer !== first) {
        throw new Error(`"${answer}" after "${first}"`);
      }
      // Some are in the middle of it, whenever it is.
      await pause((number * 7 + visit * 13) % 500);
    }
    await peer.send("quit\n");
    const rest = await peer.rest();
    if (rest !== "") throw new Error(`"${rest}" after the last answer`);
  }
}
