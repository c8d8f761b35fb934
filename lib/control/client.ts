/**
 * The client of the control socket.
 *
 * @module
 */

import { type IncomingMessage, request as httpRequest } from "node:http";
import { setTimeout as delay } from "node:timers/promises";
import { Failure } from "../command_line.ts";
import { describeDuration } from "../duration.ts";
import { pathsIn } from "../runtime_directory.ts";
import type { DrainBody, DrainOutcome, DrainProgress, ReturnBody } from "./api.ts";
import { EXIT } from "./exit_codes.ts";
import { failureOf, isAbsence, isMove, readRefusal } from "./failures.ts";

/** How long a proxy may take to answer, or to say the next line, in milliseconds. */
const PATIENCE = 10_000;

/** After a time in which this process itself was stopped: how long what has arrived may take. */
const LAST_LOOK = 100;

/** How long a proxy that moves to another process may be away, in milliseconds. */
const MOVE_PATIENCE = 10_000;

/** How soon it is asked again meanwhile, in milliseconds. */
const PAUSE = 20;

/** A proxy, as seen through the control socket in its runtime directory. */
export class ControlClient {
  readonly #socket: string;
  /** Until when nobody needs to be there, because the proxy moves to another process. */
  #movingUntil = -Infinity;

  /**
   * @param directory the runtime directory of the proxy
   * @param patience how long it may take to answer, in milliseconds
   */
  constructor(readonly directory: string, private readonly patience: number = PATIENCE) {
    this.#socket = pathsIn(directory).control;
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
    for await (const piece of this.#pieces(method, path, body, extra)) text += piece;
    return text;
  }

  /**
   * Asks for a drain, and yields each line of the answer as it comes. When the drain moves to
   * another process, so does this.
   */
  async *drain(body: DrainBody): AsyncGenerator<DrainProgress | DrainOutcome, void> {
    let next: DrainBody | ReturnBody | null = body;
    while (next !== null) {
      const lines: AsyncGenerator<DrainProgress | DrainOutcome, void> = this.#lines(next);
      next = null;
      for await (const line of lines) {
        if (!("outcome" in line) || line.waiter === undefined) {
          yield line;
          continue;
        }
        next = { waiter: line.waiter };
        this.#moves();
        break;
      }
    }
  }

  async *#lines(
    body: DrainBody | ReturnBody,
  ): AsyncGenerator<DrainProgress | DrainOutcome, void> {
    let rest = "";
    for await (const piece of this.#pieces("POST", "/v1/drain", body)) {
      const lines = (rest + piece).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) yield JSON.parse(line);
    }
  }

  /** Yields an answer as it comes; asks again as long as the proxy is moving. */
  async *#pieces(
    method: string,
    path: string,
    body?: object,
    extra = 0,
  ): AsyncGenerator<string, void> {
    for (let asked = 1, told = false;; asked++) {
      let begun = false;
      try {
        for await (const piece of this.#ask(method, path, body, extra)) {
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
        if (!mayCome) throw failureOf(error, this.directory);
        if (performance.now() >= this.#movingUntil) throw this.#absent(error, asked > 1);
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
      isMove(error) ? EXIT.unexpected : EXIT.noProxy,
    );
  }

  /** From now on it may be away for a while. */
  #moves(): void {
    this.#movingUntil = performance.now() + MOVE_PATIENCE;
  }

  async *#ask(
    method: string,
    path: string,
    body: object | undefined,
    extra: number,
  ): AsyncGenerator<string, void> {
    const text = body === undefined ? "" : JSON.stringify(body);
    const request = httpRequest({
      socketPath: this.#socket,
      method,
      path,
      agent: false,
      headers: { host: "proxy", "content-length": new TextEncoder().encode(text).length },
    });
    let timer: ReturnType<typeof setTimeout> | undefined;
    const waitFor = <T>(what: Promise<T>): Promise<T> => {
      const limit = new Promise<never>((_, reject) => {
        const giveUp = () => reject(this.#silent(method, extra));
        timer = setTimeout(() => timer = setTimeout(giveUp, LAST_LOOK), this.patience + extra);
      });
      return Promise.race([what, limit]).finally(() => clearTimeout(timer));
    };
    try {
      const answered = new Promise<IncomingMessage>((resolve, reject) => {
        request.once("response", resolve);
        request.on("error", reject);
      });
      request.end(text);
      const response = await waitFor(answered);
      response.setEncoding("utf8");
      const pieces = response[Symbol.asyncIterator]() as AsyncIterator<string>;
      let refused = "";
      for (;;) {
        const next = await waitFor(pieces.next());
        if (next.done) break;
        if (response.statusCode === 200) yield next.value;
        else refused += next.value;
      }
      if (response.statusCode !== 200) throw readRefusal(refused);
    } finally {
      request.destroy();
    }
  }

  #silent(method: string, extra: number): Failure {
    const waited = describeDuration(this.patience + extra);
    const later = method === "GET"
      ? ""
      : "; what was asked for may still happen, see proxyctl status";
    return new Failure(`The proxy at ${this.directory} did not answer within ${waited}${later}`);
  }
}
