import { messageOf } from "../message_of.ts";
import { writeRegularFile } from "../regular_file.ts";

/** The variable that names the file in which a successor says why it failed. */
export const FAILURE_FILE = "DISNIX_TCP_PROXY_FAILURE_FILE";

/** The variable that names the process from which a successor is to take over. */
export const PREDECESSOR = "DISNIX_TCP_PROXY_PREDECESSOR";

/** Whether this process was started by a proxy in order to take over from it, and for nothing else. */
export function isLaunched(): boolean {
  return predecessor() !== null;
}

/** The process that started this one in order to be replaced by it; `null` if none did. */
export function predecessor(): number | null {
  const pid = Deno.env.get(PREDECESSOR);
  return pid ? Number(pid) : null;
}

/** To be called once it has taken over: what fails later is no concern of the one that started it. */
export function forgetPredecessor(): void {
  Deno.env.delete(PREDECESSOR);
  Deno.env.delete(FAILURE_FILE);
}

/** Says why this process failed, for the one that started it in order to be replaced by it. */
export function tellPredecessor(error: unknown): void {
  const path = Deno.env.get(FAILURE_FILE);
  if (!path) return;
  try {
    writeRegularFile(path, messageOf(error), "instead");
  } catch { /* it is in the log as well */ }
}
