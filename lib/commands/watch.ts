import type { Command } from "commander";
import { setTimeout as delay } from "node:timers/promises";
import { isAway } from "./absence.ts";
import { canMoveCursor, print, tell } from "./output.ts";

/** How often it is looked, in milliseconds. */
const EVERY = 1000;
/** To the top left, and clear from there. Source: console_codes(4). */
const CLEAR = "\x1b[H\x1b[J";

/** Adds the option to look again and again. */
export function watchOption(command: Command): Command {
  return command.option("--watch", "show it again every second");
}

/**
 * Prints what is seen, once or every second. It goes on when the proxy is replaced or restarted.
 *
 * @param look gives what is to be printed
 * @param options `json` has each print in a line of its own
 * @throws {Failure} when nothing can be seen, and nothing has been seen before
 */
export async function watch(
  look: () => Promise<string>,
  { watch, json }: { readonly watch?: boolean; readonly json?: boolean },
): Promise<void> {
  const before = watch && !json && canMoveCursor(Deno.stdout) ? CLEAR : "";
  for (let seen = false, away = false;;) {
    try {
      print(await look(), before);
      seen = true;
      away = false;
    } catch (error) {
      if (!seen || !watch || !isAway(error)) throw error;
      if (!away) tell(`proxyctl: ${error.message}; waiting for the next`);
      away = true;
    }
    if (!watch) return;
    await delay(EVERY);
  }
}
