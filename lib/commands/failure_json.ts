/**
 * Failures for programs that read them.
 *
 * @module
 */

import { CommanderError } from "commander";
import { Refusal } from "../control/failures.ts";
import { EXIT } from "../exit_codes.ts";
import { Failure } from "../failure.ts";
import { messageOf } from "../message_of.ts";

/** What a failure without a code of the proxy's is called, by the exit code. */
const CODES: Readonly<Record<number, string>> = {
  [EXIT.usage]: "bad_usage",
  [EXIT.noProxy]: "no_proxy",
  [EXIT.deadline]: "deadline",
  [EXIT.held]: "held_by_another",
  [EXIT.permission]: "permission_denied",
  [EXIT.upstream]: "upstream_unreachable",
  [EXIT.wrongState]: "wrong_state",
  [EXIT.ended]: "ended",
};

/** A failure as `--json` prints it. */
export interface FailureJson {
  readonly error: { readonly code: string; readonly message: string };
}

/** Makes one of what was thrown. */
export function failureJson(thrown: unknown): FailureJson {
  const message = messageOf(thrown);
  if (thrown instanceof Refusal) return { error: { code: thrown.code, message } };
  const isTold = thrown instanceof Failure || thrown instanceof CommanderError;
  return failed(isTold ? thrown.exitCode : EXIT.unexpected, message);
}

/** Makes one of an exit code. */
export function failed(exitCode: number, message: string): FailureJson {
  return { error: { code: CODES[exitCode] ?? "unexpected", message } };
}
