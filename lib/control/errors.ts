import { EXIT } from "../exit_codes.ts";

/** What can be wrong: the HTTP status that goes with it, and the exit code of proxyctl. */
export const ERRORS = {
  bad_request: { status: 400, exit: EXIT.usage },
  /** The proxy itself, or an address that this machine cannot use. */
  unusable_upstream: { status: 400, exit: EXIT.unexpected },
  not_found: { status: 404, exit: EXIT.unexpected },
  no_such_connection: { status: 404, exit: EXIT.wrongState },
  no_such_waiter: { status: 404, exit: EXIT.ended },
  method_not_allowed: { status: 405, exit: EXIT.unexpected },
  request_timeout: { status: 408, exit: EXIT.unexpected },
  held_by_another: { status: 409, exit: EXIT.held },
  too_large: { status: 413, exit: EXIT.usage },
  internal: { status: 500, exit: EXIT.unexpected },
  /** Too many wait for the drain. */
  busy: { status: 503, exit: EXIT.unexpected },
  record_not_written: { status: 500, exit: EXIT.unexpected },
  /** Only a keeper is there, or one that does not give back what it has. */
  parked: { status: 409, exit: EXIT.wrongState },
  /** Only what is drained can stay so. */
  not_drained: { status: 409, exit: EXIT.wrongState },
  /** Only a drain that is going on can be released. */
  not_draining: { status: 409, exit: EXIT.wrongState },
  stopping: { status: 503, exit: EXIT.ended },
  /** Another process takes over: the same request, made again, is for that one. */
  moved: { status: 503, exit: EXIT.unexpected },
  upstream_unreachable: { status: 504, exit: EXIT.upstream },
  upgrade_failed: { status: 500, exit: EXIT.unexpected },
  /** The portable relay cannot be taken over from. */
  not_upgradable: { status: 409, exit: EXIT.wrongState },
} as const;

/** The codes of {@linkcode ErrorBody}. */
export type ErrorCode = keyof typeof ERRORS;

/** What is answered where something cannot be done. */
export interface ErrorBody {
  readonly error: { readonly code: ErrorCode; readonly message: string };
}

/** A request that cannot be served, and why. */
export class ApiError extends Error {
  override name = "ApiError";

  constructor(readonly code: ErrorCode, message: string) {
    super(message);
  }
}
