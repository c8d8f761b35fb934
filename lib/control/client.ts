/**
 * The client of the control socket.
 *
 * @module
 */

import { setTimeout as delay } from "node:timers/promises";
import { Failure } from "../failure.ts";
import { describeDuration } from "../duration.ts";
import { pathsIn } from "../runtime_directory/paths.ts";
import type { DrainBody } from "../drain/request.ts";
import type { DrainOutcome, DrainProgress, ReturnBody } from "./api.ts";
import { type Ask, overSocket } from "./exchange.ts";
import { EXIT } from "../exit_codes.ts";
import { failureOf, isAbsence, isMove, readRefusal, Refusal } from "./failures.ts";
import { within } from "../within.ts";

/** How long a proxy may take for its whole answer, or for the next line of one, in milliseconds. */
const PATIENCE = 10_000;

/** How long an answer, or a line of one, may be, in characters: far more than a proxy has to say. */
const LONGEST = 64 * 1024 * 1024;

/** After a time in which this process itself was stopped: how long what has arrived may take. */
const LAST_LOOK = 100;

/** How long a proxy that moves to another process may be away, in milliseconds. */
const MOVE_PATIENCE = 10_000;

/** How soon it is asked again meanwhile, in milliseconds. */
const PAUSE = 20;

/** What a proxy is asked. */
interface Asked {
  readonly method: string;
  readonly path: string;
  readonly body: object | undefined;
  /** Milliseconds that it may take longer than usual. */
  readonly extra: number;
  /** Whether the answer comes in lines, each in its time. */
  readonly inLines?: boolean;
  /** Breaks it off. */
  readonly signal?: AbortSignal | undefined;
}

/** A proxy on another machine. */
export interface Elsewhere {
  /** What to call it: every failure begins with that. */
  readonly name: string;
  readonly ask: Ask;
}

/** A proxy, as seen through its control socket. */
export class ControlClient {
  /** Its runtime directory; if it is elsewhere, what to call it. */
  readonly directory: string;
  /** Whether it is on another machine. */
  readonly isElsewhere: boolean;
  readonly #ask: Ask;
  /** Until when nobody needs to be there, because the proxy moves to another process. */
  #movingUntil = -Infinity;
  /** Resolves when the drain that was asked for last has said whether the proxy moves, or is over. */
  #lastWord: Promise<void> = Promise.resolve();

  /**
   * @param place the runtime directory of the proxy, or where else it is
   * @param patience how long it may take to answer, in milliseconds
   */
  constructor(place: string | Elsewhere, private readonly patience: number = PATIENCE) {
    this.isElsewhere = typeof place !== "string";
    this.directory = typeof place === "string" ? place : place.name;
    this.#ask = typeof place === "string" ? overSocket(pathsIn(place).control) : place.ask;
  }

  /**
   * Sends a request.
   *
   * @param extra milliseconds that the proxy may take longer than usual
   * @throws {Failure} with the exit code that fits, when there is no proxy, no answer or a refusal
   */
  async json<T>(method: string, path: string, body?: object, extra = 0): Promise<T> {
    return JSON.parse(await this.text(method, path, body, extra)) as T;
  }

  /** As {@linkcode json}, for answers that are not JSON. */
  async text(method: string, path: string, body?: object, extra = 0): Promise<string> {
    let text = "";
    for await (const piece of this.#pieces({ method, path, body, extra })) text += piece;
    return text;
  }

  /**
   * Asks for a drain, and yields each line of the answer as it comes. When the drain moves to
   * another process, so does this.
   *
   * @param signal breaks the connection off, which is how one who waits leaves
   */
  async *drain(
    body: DrainBody,
    signal?: AbortSignal,
  ): AsyncGenerator<DrainProgress | DrainOutcome, void> {
    let next: DrainBody | ReturnBody | null = body;
    while (next !== null) {
      const lines: AsyncGenerator<DrainProgress | DrainOutcome, void> = this.#lines(
        next,
        signal,
      );
      next = null;
      const { promise, resolve: said } = Promise.withResolvers<void>();
      this.#lastWord = promise;
      try {
        for await (const line of lines) {
          if (!("outcome" in line) || line.waiter === undefined) {
            if ("outcome" in line) said();
            yield line;
            continue;
          }
          next = { waiter: line.waiter };
          this.#moves();
          break;
        }
      } finally {
        said();
      }
    }
  }

  async *#lines(
    body: DrainBody | ReturnBody,
    signal: AbortSignal | undefined,
  ): AsyncGenerator<DrainProgress | DrainOutcome, void> {
    let rest = "";
    const asked = { method: "POST", path: "/v1/drain", body, extra: 0, inLines: true, signal };
    for await (const piece of this.#pieces(asked)) {
      const lines = (rest + piece).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) yield JSON.parse(line);
    }
  }

  /** Yields an answer as it comes; asks again as long as the proxy is moving. */
  async *#pieces(asked: Asked): AsyncGenerator<string, void> {
    for (let time = 1, told = false;; time++) {
      let begun = false;
      try {
        for await (const piece of this.#answer(asked)) {
          begun = true;
          yield piece;
        }
        return;
      } catch (error) {
        if (isMove(error) && !told) {
          told = true;
          this.#moves();
        }
        const mayCome = !begun && (isMove(error) || isAbsence(error));
        if (!mayCome) throw this.#told(failureOf(error, this.directory));
        // That it moves may have come over the connection of a drain, and be still to be read.
        if (!this.#isMoving && !asked.inLines) await within(this.#lastWord, this.patience);
        if (!this.#isMoving) throw this.#told(this.#absent(error, time > 1));
      }
      await delay(PAUSE);
    }
  }

  /** @param awaited whether it was asked again and again */
  #absent(error: unknown, awaited: boolean): Failure {
    if (!awaited) return failureOf(error, this.directory);
    return new Failure(
      `The proxy at ${this.directory} was moving to another process, which did not answer ` +
        `within ${describeDuration(MOVE_PATIENCE)}`,
      isMove(error) ? EXIT.unexpected : failureOf(error, this.directory).exitCode,
    );
  }

  /** What is told of a proxy on another machine names that. */
  #told(failure: Failure): Failure {
    if (!this.isElsewhere || failure.message.startsWith(this.directory)) return failure;
    const message = `${this.directory}: ${failure.message}`;
    if (failure instanceof Refusal) return new Refusal(failure.code, message);
    return new Failure(message, failure.exitCode);
  }

  get #isMoving(): boolean {
    return performance.now() < this.#movingUntil;
  }

  /** From now on it may be away for a while. */
  #moves(): void {
    this.#movingUntil = performance.now() + MOVE_PATIENCE;
  }

  async *#answer(asked: Asked): AsyncGenerator<string, void> {
    const { method, path, body, extra, inLines, signal } = asked;
    const text = body === undefined ? "" : JSON.stringify(body);
    const exchange = this.#ask({ method, path, body: text });
    let timer: ReturnType<typeof setTimeout> | undefined;
    let why: Failure | null = null;
    const giveUp = () => {
      why ??= this.#silent(asked);
      exchange.end(why);
    };
    const breakOff = () => exchange.end(new Failure("The connection was broken off"));
    signal?.addEventListener("abort", breakOff);
    let length = 0;
    const waitForMore = () => {
      length = 0;
      clearTimeout(timer);
      timer = setTimeout(() => timer = setTimeout(giveUp, LAST_LOOK), this.patience + extra);
    };
    try {
      waitForMore();
      const { status, body } = await exchange.answer;
      let refused = "";
      for await (const piece of body) {
        length += piece.length;
        if (length > LONGEST) throw this.#endless();
        if (inLines && piece.includes("\n")) waitForMore();
        if (status === 200) yield piece;
        else refused += piece;
      }
      if (why !== null) throw why;
      if (status !== 200) throw readRefusal(refused);
    } catch (error) {
      throw why ?? error;
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener("abort", breakOff);
      exchange.end();
    }
  }

  #endless(): Failure {
    return new Failure(`The proxy at ${this.directory} gives an answer without an end`);
  }

  #silent({ method, extra }: Asked): Failure {
    const waited = describeDuration(this.patience + extra);
    const later = method === "GET"
      ? ""
      : "; what was asked for may still happen, see proxyctl status";
    return new Failure(`The proxy at ${this.directory} did not answer within ${waited}${later}`);
  }
}
