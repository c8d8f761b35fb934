import { type IncomingMessage, request as httpRequest } from "node:http";

/** One question to a proxy, and its answer. */
export interface Exchange {
  /** Rejects when there is none. */
  readonly answer: Promise<Answer>;
  /** Ends it, whatever it is doing; it need not have an answer. */
  end(why?: Error): void;
}

/** An answer whose head has come. */
export interface Answer {
  readonly status: number;
  /** The body as it comes. */
  readonly body: AsyncIterable<string>;
}

/** What is asked. */
export interface Question {
  readonly method: string;
  readonly path: string;
  /** JSON, or nothing. */
  readonly body: string;
}

/** Asks a proxy. */
export type Ask = (question: Question) => Exchange;

/** Asks over a control socket. */
export function overSocket(socketPath: string): Ask {
  return ({ method, path, body }) => {
    const length = new TextEncoder().encode(body).length;
    const headers = { host: "proxy", "content-length": length };
    const request = httpRequest({ socketPath, method, path, agent: false, headers });
    let response: IncomingMessage | undefined;
    const answer = new Promise<IncomingMessage>((resolve, reject) => {
      request.once("response", resolve);
      request.on("error", (error) => reject(asElsewhere(error)));
    }).then((begun) => {
      response = begun.setEncoding("utf8");
      tellOfBreaks(response);
      return { status: begun.statusCode ?? 0, body: begun as AsyncIterable<string> };
    });
    request.end(body);
    return {
      answer,
      end(why) {
        request.destroy(why);
        // By itself that ends no answer that has begun, on the runtime of Deno 2.6.
        response?.destroy(why);
      },
    };
  };
}

/** What the runtime of Deno 2.6 says of a connection that breaks, and of an answer that is ended here. */
const BROKEN =
  /^(?:connection error|error (?:reading|writing) a body (?:from|to) connection|operation canceled)/;

/** What went wrong, as other runtimes say it. */
function asElsewhere(error: Error): Error {
  if (!BROKEN.test(error.message)) return error;
  return Object.assign(new Error("aborted", { cause: error }), { code: "ECONNRESET" });
}

/** Answers that have begun; `null` before the first. */
let unfinished: Set<IncomingMessage> | null = null;

/**
 * Has an answer that breaks off end with an error. The runtime of Deno 2.6 tells only the process, by a
 * promise that is rejected where nobody can catch it, which would end that. It does not say which
 * answer it was: whoever reads several takes it for all of them.
 */
function tellOfBreaks(response: IncomingMessage): void {
  unfinished ??= listenForBreaks();
  const those = unfinished.add(response);
  response.once("close", () => those.delete(response));
}

function listenForBreaks(): Set<IncomingMessage> {
  const those = new Set<IncomingMessage>();
  globalThis.addEventListener("unhandledrejection", (event) => {
    const { reason } = event;
    if (!(reason instanceof Error && BROKEN.test(reason.message))) return;
    event.preventDefault();
    for (const one of those) endOnceRead(one, asElsewhere(reason));
  });
  return those;
}

/** Ends an answer, but not before what has come of it was read. */
function endOnceRead(response: IncomingMessage, why: Error): void {
  if (response.readableLength === 0) response.destroy(why);
  else if (!response.destroyed) setTimeout(endOnceRead, 1, response, why);
}
