import { Failure } from "../failure.ts";
import { EXIT } from "../exit_codes.ts";

/**
 * Whether an error only says that no proxy is there just now, or that it went away before it had
 * answered: another may come.
 */
export function isAway(error: unknown): error is Failure {
  const codes: number[] = [EXIT.noProxy, EXIT.ended];
  return error instanceof Failure && codes.includes(error.exitCode);
}
