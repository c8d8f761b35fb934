/**
 * Whether what this process says goes to systemd's journal, which takes the priority of a line from
 * its beginning: `<4>` (sd-daemon(3)).
 *
 * @module
 */

import { fstatSync } from "node:fs";

const STDERR = 2;

/** The priorities that lines have here (syslog(3)). */
export const PRIORITY = { error: 3, warning: 4, info: 6, debug: 7 } as const;

/**
 * Whether stderr is the journal: `$JOURNAL_STREAM` names device and inode of what a service manager
 * connected to it, which may be something else by now (systemd.exec(5)).
 */
export function isJournal(
  stream: string | undefined = Deno.env.get("JOURNAL_STREAM"),
  descriptor = STDERR,
): boolean {
  const [, device, inode] = /^(\d+):(\d+)$/.exec(stream ?? "") ?? [];
  if (device === undefined || inode === undefined) return false;
  try {
    const { dev, ino } = fstatSync(descriptor, { bigint: true });
    return dev === BigInt(device) && ino === BigInt(inode);
  } catch {
    return false;
  }
}

/** Lines for the journal. */
export function prioritized(lines: string, priority: number): string {
  return lines.replaceAll(/^(?=.)/gm, `<${priority}>`);
}
