import type { ErrorCode } from "./api.ts";

/** A request that cannot be served, and why. */
export class ApiError extends Error {
  override name = "ApiError";

  constructor(readonly code: ErrorCode, message: string) {
    super(message);
  }
}
