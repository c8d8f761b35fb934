/**
 * What to do where nobody can listen, as the end of a sentence that says so; "" if nothing is known.
 *
 * @param code of the error: `EADDRINUSE` and others
 * @param how the option that says where, if it is one
 */
export function listenAdvice(code: string, port: number, how = ""): string {
  const by = how === "" ? "" : ` with ${how}`;
  if (code === "EADDRINUSE") return `; stop the program that has it, or choose another port${by}`;
  if (code !== "EACCES" || port >= 1024) return "";
  return `; choose a port of at least 1024${by}, or run as root`;
}
