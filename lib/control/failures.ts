/**
 * What a person is told when a proxy could not be asked, or said no.
 *
 * @module
 */

import { Failure } from "../command_line.ts";
import { messageOf } from "../message_of.ts";
import type { ErrorBody, ErrorCode } from "./api.ts";
import { EXIT } from "./exit_codes.ts";

const EXIT_OF: Record<ErrorCode, number> = {
  bad_request: EXIT.usage,
  not_found: EXIT.unexpected,
  no_such_connection: EXIT.wrongState,
  no_such_waiter: EXIT.ended,
  method_not_allowed: EXIT.unexpected,
  request_timeout: EXIT.unexpected,
  held_by_another: EXIT.held,
  too_large: EXIT.usage,
  internal: EXIT.unexpected,
  record_not_written: EXIT.unexpected,
  parked: EXIT.wrongState,
  stopping: EXIT.ended,
  moved: EXIT.unexpected,
  upstream_unreachable: EXIT.upstream,
  upgrade_failed: EXIT.unexpected,
  not_upgradable: EXIT.wrongState,
};

/** The proxy answered, and said no. */
export class Refusal extends Failure {
  constructor(readonly code: ErrorCode, message: string) {
    super(message, EXIT_OF[code] ?? EXIT.unexpected);
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
  return ["ENOENT", "ECONNREFUSED", "ECONNRESET", "EPIPE"].includes(codeOf(error) ?? "");
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
    default:
      return new Failure(`Failed to ask the proxy at ${directory}: ${messageOf(error)}`);
  }
}

function codeOf(error: unknown): string | undefined {
  return (error as { code?: string }).code;
}
