/**
 * What a person is told when a proxy could not be asked, or said no.
 *
 * @module
 */

import { codeOf } from "../code_of.ts";
import { Failure } from "../failure.ts";
import { messageOf } from "../message_of.ts";
import { EXIT } from "../exit_codes.ts";
import { type ErrorBody, type ErrorCode, ERRORS } from "./errors.ts";

/** The proxy answered, and said no. */
export class Refusal extends Failure {
  constructor(readonly code: ErrorCode, message: string) {
    // A proxy of another version may know more codes.
    super(message, ERRORS[code]?.exit ?? EXIT.unexpected);
  }
}

/** Reads the answer of a proxy that said no. */
export function readRefusal(text: string): Failure {
  try {
    const { error } = JSON.parse(text) as ErrorBody;
    return new Refusal(error.code, error.message);
  } catch {
    return new Failure(`The proxy gave an answer that is not understood: ${text.slice(0, 200)}`);
  }
}

/** Whether this only says that nobody is there, or not any more. */
export function isAbsence(error: unknown): boolean {
  // On another machine it is the command there that has found nobody.
  if (error instanceof Failure && error.exitCode === EXIT.noProxy) return true;
  return ["ENOENT", "ECONNREFUSED", "ECONNRESET", "EPIPE"].includes(codeOf(error));
}

/** Whether the proxy said that another process takes over. */
export function isMove(error: unknown): boolean {
  return error instanceof Refusal && error.code === "moved";
}

/** Whatever went wrong with the proxy in a directory, for a person. */
export function failureOf(error: unknown, directory: string): Failure {
  if (error instanceof Failure) return error;
  switch (codeOf(error)) {
    case "ENOENT":
    case "ECONNREFUSED":
      return new Failure(`No proxy runs at ${directory}`, EXIT.noProxy);
    case "EACCES":
    case "EPERM":
      return new Failure(
        `Permission denied for the control socket in ${directory}: run this as the user of the ` +
          "proxy, as root, or as a member of its --control-group",
        EXIT.permission,
      );
    case "ECONNRESET":
    case "EPIPE":
      return new Failure(`The proxy at ${directory} went away before it had answered`, EXIT.ended);
    case "EAGAIN":
      return new Failure(
        `More want to ask the proxy at ${directory} than it has room for, or it hangs: try again`,
      );
    default:
      return new Failure(`Failed to ask the proxy at ${directory}: ${messageOf(error)}`);
  }
}
