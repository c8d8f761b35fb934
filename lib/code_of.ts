/** The code of a system's error, such as `ECONNREFUSED`; an empty text if it has none. */
export function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : "";
}
