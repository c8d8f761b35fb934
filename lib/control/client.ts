/**
 * The client of the control socket.
 *
 * @module
 */

import { type IncomingMessage, request as httpRequest } from "node:http";
import { Failure } from "../command_line.ts";
import { pathsIn } from "../runtime_directory.ts";
import { describeDuration } from "../duration.ts";
import type { ErrorBody, ErrorCode } from "./api.ts";
import { EXIT } from "./exit_codes.ts";
import { messageOf } from "../message_of.ts";

/** How long a proxy may take to answer, or to say the next line, in milliseconds. */
const PATIENCE = 10_000;

/** After a time in which this process itself was stopped: how long what has arrived may take. */
const LAST_LOOK = 100;

const EXIT_OF: Record<ErrorCode, number> = {
  bad_request: EXIT.usage,
  not_found: EXIT.unexpected,
  no_such_connection: EXIT.wrongState,
  method_not_allowed: EXIT.unexpected,
  request_timeout: EXIT.unexpected,
  held_by_another: EXIT.held,
  too_large: EXIT.usage,
  internal: EXIT.unexpected,
  record_not_written: EXIT.unexpected,
  stopping: EXIT.ended,
  upstream_unreachable: EXIT.upstream,
};

/** A proxy, as seen through the control socket in its runtime directory. */
export class ControlClient {
  readonly #socket: string;

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

  /** As {@linkcode json}, for answers of many lines: yields each as it comes. */
  async *lines<T>(method: string, path: string, body?: object): AsyncGenerator<T, void> {
    let rest = "";
    for await (const piece of this.#pieces(method, path, body, 0)) {
      const lines = (rest + piece).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) yield JSON.parse(line) as T;
    }
  }

  async *#pieces(
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
      if (response.statusCode !== 200) throw refusal(refused);
    } catch (error) {
      throw this.#failure(error);
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

  #failure(error: unknown): Failure {
    if (error instanceof Failure) return error;
    const code = (error as { code?: string }).code;
    const at = this.directory;
    if (code === "ENOENT" || code === "ECONNREFUSED") {
      return new Failure(`No proxy runs at ${at}`, EXIT.noProxy);
    }
    if (code === "EACCES" || code === "EPERM") {
      return new Failure(
        `Permission denied for the control socket in ${at}: run this as the user of the proxy, ` +
          "as root, or as a member of its --control-group",
        EXIT.permission,
      );
    }
    if (code === "ECONNRESET" || code === "EPIPE") {
      return new Failure(`The proxy at ${at} went away before it had answered`, EXIT.ended);
    }
    const what = messageOf(error);
    return new Failure(`Failed to ask the proxy at ${at}: ${what}`);
  }
}

function refusal(text: string): Failure {
  try {
    const { error } = JSON.parse(text) as ErrorBody;
    return new Failure(error.message, EXIT_OF[error.code] ?? EXIT.unexpected);
  } catch {
    return new Failure(`The proxy gave an answer that is not understood: ${text.slice(0, 200)}`);
  }
}
