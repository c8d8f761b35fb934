/**
 * Several proxies in one drain: all or nothing.
 *
 * @module
 */

import type { DrainOutcome, DrainProgress, ResumeResult, Status } from "../control/api.ts";
import type { ControlClient } from "../control/client.ts";
import { Refusal } from "../control/failures.ts";
import type { DrainBody } from "../drain/request.ts";
import { EXIT } from "../exit_codes.ts";
import { Failure } from "../failure.ts";
import { messageOf } from "../message_of.ts";
import { within } from "../within.ts";
import type { Interruption } from "./interruption.ts";
import { tell } from "./output.ts";
import type { Progress } from "./progress.ts";
import type { Release } from "./release.ts";

/** A failure that names the proxy, where there are several. */
export function namedFailure(proxy: ControlClient, error: unknown): Failure {
  const said = messageOf(error);
  const message = said.startsWith(proxy.directory) ? said : `${proxy.directory}: ${said}`;
  if (error instanceof Refusal) return new Refusal(error.code, message);
  return new Failure(message, error instanceof Failure ? error.exitCode : EXIT.unexpected);
}

/**
 * Puts proxies in an order that is the same for whoever asks, however they are named, so that two who
 * drain some of the same cannot hold one each and wait for the other. One that is named twice is
 * there once.
 *
 * @throws {Failure} when one cannot be asked
 */
export async function inOrder(proxies: readonly ControlClient[]): Promise<ControlClient[]> {
  if (proxies.length === 1) return [...proxies];
  const found = await Promise.all(proxies.map(async (proxy) => {
    const status = await proxy.json<Status>("GET", "/v1/status").catch((error) => {
      throw namedFailure(proxy, error);
    });
    // One of an earlier version does not say who it is.
    const { machine = "", directory = proxy.directory, startedAt, pid } = status;
    return { proxy, key: [machine, directory, startedAt, `${pid}`].join("\0") };
  }));
  const first = new Map(found.toReversed().map(({ proxy, key }) => [key, proxy]));
  return [...first].sort(([a], [b]) => a < b ? -1 : 1).map(([, proxy]) => proxy);
}

/** A proxy's part in a drain. */
class Part {
  /** Whether its drain was there before it was asked for. */
  readonly joined: boolean;
  last: DrainProgress | null = null;
  outcome: DrainOutcome | null = null;
  failure: Failure | null = null;
  /**
   * When it was over: whether the proxy had only ended, and a keeper kept those who wait for the next
   * one.
   */
  wasParked: Promise<boolean> = Promise.resolve(false);

  private constructor(
    readonly proxy: ControlClient,
    first: DrainProgress | DrainOutcome,
    private readonly release: Release | null,
  ) {
    this.joined = first.joined;
    this.#take(first);
  }

  /**
   * Has a proxy hold.
   *
   * @throws {Failure} when it does not
   */
  static async hold(
    proxy: ControlClient,
    { body, release, interruption: { signal } }: Omit<DrainTogetherParts, "proxies">,
    changed: () => void,
  ): Promise<Part> {
    const lines = proxy.drain(body, signal);
    const { done, value: first } = await lines.next();
    if (done) throw goneDuringDrain(proxy);
    tellNotice(first);
    const part = new Part(proxy, first, release);
    void part.#follow(lines, body.wait !== false, changed);
    return part;
  }

  /** Whether nobody is active there. */
  get isDrained(): boolean {
    return this.outcome?.outcome === "drained" || this.last?.state === "drained" && !this.isOver;
  }

  /** Whether its drain is over, or has failed. */
  get isOver(): boolean {
    return this.failure !== null || this.outcome !== null && this.outcome.outcome !== "drained";
  }

  async #follow(
    lines: AsyncGenerator<DrainProgress | DrainOutcome, void>,
    waits: boolean,
    changed: () => void,
  ): Promise<void> {
    try {
      for await (const line of lines) {
        this.#take(line);
        changed();
      }
      if (waits && this.outcome === null) throw goneDuringDrain(this.proxy);
    } catch (error) {
      this.failure = namedFailure(this.proxy, error);
    }
    // Not later: by then the next one may be there.
    if (this.isOver) this.wasParked = isParked(this.proxy);
    changed();
  }

  #take(line: DrainProgress | DrainOutcome): void {
    if ("outcome" in line) {
      this.outcome = line;
      return;
    }
    this.last = line;
    this.release?.holds(this.proxy, line);
  }
}

async function isParked(proxy: ControlClient): Promise<boolean> {
  const status = await proxy.json<Status>("GET", "/v1/status").catch(() => null);
  return status?.state === "parked";
}

/** The failure of a drain whose proxy went away without a word. */
export function goneDuringDrain(proxy: ControlClient): Failure {
  return new Failure(`The proxy at ${proxy.directory} went away during the drain`, EXIT.ended);
}

/** Tells what whoever drains should know of a drain that was there before. */
export function tellNotice(line: DrainProgress | DrainOutcome): void {
  // A proxy of an earlier version knows none.
  if ("notice" in line && line.notice !== null) tell(line.notice);
}

/** What a drain of several is made of. */
export interface DrainTogetherParts {
  /** {@linkcode inOrder}. */
  readonly proxies: readonly ControlClient[];
  readonly body: DrainBody;
  /** Is told when all hold, if there is one. */
  readonly release: Release | null;
  /** Breaks it off. */
  readonly interruption: Interruption;
}

/** Several proxies that hold for one owner. */
export class DrainTogether {
  readonly parts: readonly Part[];
  readonly #of: DrainTogetherParts;
  readonly #changed: Changes;

  private constructor(of: DrainTogetherParts, parts: readonly Part[], changed: Changes) {
    this.parts = parts;
    this.#of = of;
    this.#changed = changed;
  }

  /**
   * Has one proxy after the other hold.
   *
   * @throws {Failure} when one does not; then those that did have been resumed
   */
  static async begin(of: DrainTogetherParts): Promise<DrainTogether> {
    const changed = new Changes();
    const parts: Part[] = [];
    const together = new DrainTogether(of, parts, changed);
    for (const proxy of of.proxies) {
      try {
        parts.push(await Part.hold(proxy, of, () => changed.happen()));
      } catch (error) {
        if (of.interruption.signal.aborted) return await of.interruption.end();
        await together.cancel();
        throw of.proxies.length === 1 ? error : namedFailure(proxy, error);
      }
    }
    return together;
  }

  /** Whether all of them were drained before. */
  get joined(): boolean {
    return this.parts.every(({ joined }) => joined);
  }

  /** The first whose drain is over; `undefined` if none is. */
  get over(): Part | undefined {
    return this.parts.find(({ isOver }) => isOver);
  }

  /**
   * The first whose drain is over, once there is one.
   *
   * @param limit how long that may take, in milliseconds; then `undefined`
   */
  async untilOver(limit: number): Promise<Part | undefined> {
    const found = async () => {
      while (this.over === undefined) await this.#changed.next();
      return this.over;
    };
    return await within(found(), limit);
  }

  /**
   * Waits until all are drained, or one has failed; then the others have been resumed.
   *
   * @returns that one; `null` if all are drained
   * @throws {Failure} when the release has failed; then all have been resumed
   */
  async untilDecided(progress: Progress): Promise<Part | null> {
    try {
      return await this.#untilDecided(progress);
    } catch (error) {
      // A release that was ended by the same Ctrl-C is no failure of its own.
      if (!this.#of.interruption.isHeard) throw error;
      return await this.#end(progress);
    } finally {
      progress.clear();
    }
  }

  async #end(progress: Progress): Promise<never> {
    const { release, interruption } = this.#of;
    progress.clear();
    release?.abandon();
    return await interruption.end();
  }

  async #untilDecided(progress: Progress): Promise<Part | null> {
    const { release, interruption } = this.#of;
    for (;;) {
      if (interruption.signal.aborted) return await this.#end(progress);
      const { over } = this;
      if (over !== undefined) {
        await this.cancel();
        // Of a process that went away, nobody said how it ended.
        await release?.outcome(over.outcome ?? { outcome: "stopped" });
        return over;
      }
      if (this.parts.every(({ outcome }) => outcome !== null)) {
        await release?.outcome({ outcome: "drained" });
        return null;
      }
      const isReleased = release?.isDone ?? true;
      if (isReleased && this.parts.every(({ isDrained }) => isDrained)) return null;
      progress.show(this.progress);
      await this.#changed.next();
    }
  }

  /** All as if they were one. */
  get progress(): DrainProgress {
    const lines = this.parts.flatMap(({ last, isDrained }) =>
      last === null ? [] : [
        isDrained ? { ...last, active: 0, blockers: [] } : last,
      ]
    );
    const sum = (of: (one: DrainProgress) => number) =>
      lines.reduce((all, one) => all + of(one), 0);
    return {
      state: lines.every(({ state }) => state === "drained") ? "drained" : "draining",
      active: sum(({ active }) => active),
      queued: lines.some(({ queued }) => queued === null) ? null : sum(({ queued }) => queued ?? 0),
      suspended: sum(({ suspended }) => suspended ?? 0),
      suspendQuietSeconds: lines[0]?.suspendQuietSeconds ?? null,
      waitedSeconds: Math.max(0, ...lines.map(({ waitedSeconds }) => waitedSeconds)),
      joined: this.joined,
      // Told of each when it came.
      notice: null,
      blockers: lines.flatMap(({ blockers }) => blockers)
        .sort((a, b) => b.ageSeconds - a.ageSeconds),
    };
  }

  /** Resumes those that this drain has drained, and that are not over by themselves. */
  async cancel(): Promise<void> {
    const { owner } = this.#of.body;
    await Promise.all(this.parts.map(async ({ proxy, joined, isOver }) => {
      if (joined || isOver) return;
      await proxy.json<ResumeResult>("POST", "/v1/resume", { owner }).catch((error) => {
        tell(`proxyctl: Failed to resume ${proxy.directory}: ${messageOf(error)}`);
      });
    }));
  }
}

/** That something has changed, for who waits for it. */
class Changes {
  #has = false;
  #wake = () => {};

  happen(): void {
    this.#has = true;
    this.#wake();
  }

  /** Waits for the next change, if there has been none since the last. */
  async next(): Promise<void> {
    if (!this.#has) await new Promise<void>((resolve) => this.#wake = resolve);
    this.#has = false;
  }
}
