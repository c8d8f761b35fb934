/**
 * What a server on a control socket is asked, and what it answers.
 *
 * @module
 */

import { type ErrorBody, type ErrorCode, ERRORS } from "../errors.ts";

/** How long a request may take to arrive, or an answer to be taken, in milliseconds. */
export const PATIENCE = 10_000;

/** A request, all of which has arrived. */
export interface ControlRequest {
  readonly method: string;
  readonly path: string;
  /** What stands behind the path. */
  readonly query: URLSearchParams;
  /** By their names in lower case; one that came several times has commas between its values. */
  readonly headers: ReadonlyMap<string, string>;
  readonly body: string;
}

/** Headers of an answer, by their names in lower case. */
export type Headers = Readonly<Record<string, string>>;

/** What is answered. */
export interface ControlAnswer {
  readonly status: number;
  readonly headers: Headers;
  /** All of the body, or what tells it piece by piece. */
  readonly body: string | ((listener: Listener) => Promise<void>);
}

/** Who hears an answer piece by piece. */
export interface Listener {
  /**
   * Passes a piece on, as soon as there is room for it.
   *
   * @param patience how long there may be none, in milliseconds; {@linkcode PATIENCE} if not given
   * @returns whether it was; if not, nobody listens any more
   */
  write(text: string, patience?: number): Promise<boolean>;
  /** Resolves when the listener says no more. It may be gone: the next write tells. */
  readonly silent: Promise<void>;
}

/** Answers a request. It does not throw. */
export type Handler = (request: ControlRequest) => Promise<ControlAnswer>;

/** An answer in JSON. */
export function jsonAnswer(
  value: unknown,
  status = 200,
  headers: Headers = {},
): ControlAnswer {
  return {
    status,
    headers: { "content-type": "application/json", ...headers },
    body: JSON.stringify(value),
  };
}

/** The answer that something cannot be done. @param more stands beside it */
export function errorAnswer(code: ErrorCode, message: string, more: object = {}): ControlAnswer {
  const error: ErrorBody = { error: { code, message } };
  const headers: Record<string, string> = code === "moved" ? { "retry-after": "0" } : {};
  return jsonAnswer({ ...more, ...error }, ERRORS[code].status, headers);
}

/** An answer in text. */
export function textAnswer(text: string, contentType = "text/plain;charset=UTF-8"): ControlAnswer {
  return { status: 200, headers: { "content-type": contentType }, body: text };
}
