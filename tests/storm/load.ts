import { Failure } from "../../lib/failure.ts";
import type { Answer, Beginning, Kind, Method, Methods, Request } from "./load/messages.ts";
import type { Tally } from "./load/tally.ts";

/** How often the clocks are compared; the quickest comparison counts. */
const COMPARISONS = 20;

/**
 * The load client, as seen from outside: it runs in a worker, so that what it measures is not
 * disturbed by what starts the programs.
 *
 * The `performance.now()` of a worker and that of the main thread are the same monotonic clock of
 * the kernel with different zeros. How far these are apart is found by asking the worker for its
 * time and taking the middle of the question and the answer, to well under a millisecond.
 */
export class Load implements Disposable {
  readonly #worker = new Worker(new URL("load/worker.ts", import.meta.url), { type: "module" });
  readonly #waiting = new Map<number, (result: unknown) => void>();
  readonly #broken = Promise.withResolvers<never>();
  #lastId = 0;

  constructor() {
    this.#broken.promise.catch(() => {});
    this.#worker.onerror = (event) => {
      event.preventDefault();
      this.#broken.reject(new Failure(`The load client failed: ${event.message}`));
    };
    this.#worker.onmessage = ({ data: { id, result } }: MessageEvent<Answer>) => {
      this.#waiting.get(id)?.(result);
      this.#waiting.delete(id);
    };
  }

  /** Rejects when the load client itself fails. */
  get broken(): Promise<never> {
    return this.#broken.promise;
  }

  /** Starts the clients. */
  begin(beginning: Beginning): Promise<void> {
    return this.#ask("begin", beginning);
  }

  /** Waits until a version has answered as many connections as the service has clients. */
  served(kind: Kind, version: number): Promise<void> {
    return this.#ask("served", kind, version);
  }

  /** Whoever connects from now on may only see this version, or a later one. */
  holding(kind: Kind, next: number): Promise<void> {
    return this.#ask("holding", kind, next);
  }

  /** From now on this version may be seen; before that is done, nobody may have seen it. */
  opening(kind: Kind, version: number): Promise<void> {
    return this.#ask("opening", kind, version);
  }

  /** The connections through a proxy move to the next one from now on, or no more. */
  moving(kind: Kind, isMoving: boolean): Promise<void> {
    return this.#ask("moving", kind, isMoving);
  }

  /** What has happened so far. */
  tally(): Promise<Tally> {
    return this.#ask("tally");
  }

  /** Lets every client finish what it does, and no more begin. */
  end(): Promise<void> {
    return this.#ask("end");
  }

  /** For each version, when its last connection closed, by our `performance.now()`. */
  async lastCloses(): Promise<Record<Kind, ReadonlyMap<number, number>>> {
    let best = Infinity;
    let ahead = 0;
    for (let comparison = 0; comparison < COMPARISONS; comparison++) {
      const asked = performance.now();
      const theirs = await this.#ask("now");
      const took = performance.now() - asked;
      if (took >= best) continue;
      best = took;
      ahead = theirs - (asked + took / 2);
    }
    const closes = await this.#ask("lastCloses");
    const ours = (times: ReadonlyMap<number, number>) =>
      new Map(Array.from(times, ([version, at]) => [version, at - ahead]));
    const { hello, bulk, activated, staying } = closes;
    return {
      ...{ hello: ours(hello), bulk: ours(bulk) },
      ...{ activated: ours(activated), staying: ours(staying) },
    };
  }

  [Symbol.dispose](): void {
    this.#worker.terminate();
  }

  #ask<M extends Method>(
    method: M,
    ...args: Parameters<Methods[M]>
  ): Promise<Awaited<ReturnType<Methods[M]>>> {
    const { promise, resolve } = Promise.withResolvers<unknown>();
    const id = ++this.#lastId;
    this.#waiting.set(id, resolve);
    this.#worker.postMessage({ id, method, args } satisfies Request);
    return Promise.race([promise, this.broken]) as Promise<Awaited<ReturnType<Methods[M]>>>;
  }
}
