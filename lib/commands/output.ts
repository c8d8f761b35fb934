/**
 * What proxyctl prints: results on stdout, everything else on stderr.
 *
 * @module
 */

import { Failure, writeAll, writeError } from "../command_line.ts";
import type { ConnectionView } from "../control/api.ts";
import { describeDuration } from "../duration.ts";
import { messageOf } from "../message_of.ts";

/** Prints a result for people, or as one line of JSON. */
export function printResult(json: boolean | undefined, result: unknown, text: string): void {
  print(json ? JSON.stringify(result) : text);
}

/**
 * Prints lines on stdout.
 *
 * @throws {Failure} when they cannot be written
 */
export function print(text: string): void {
  try {
    writeAll(Deno.stdout, text === "" || text.endsWith("\n") ? text : `${text}\n`);
  } catch (error) {
    throw new Failure(
      `Failed to write to stdout: ${messageOf(error)}`,
    );
  }
}

/** Tells of progress on stderr. */
export const tell = writeError;

/** Columns of text, aligned, the first line being their heads. */
export function table(rows: readonly (readonly string[])[]): string {
  const widths = rows.reduce<number[]>(
    (widest, row) => row.map((cell, index) => Math.max(cell.length, widest[index] ?? 0)),
    [],
  );
  const line = (row: readonly string[]) =>
    row.map((cell, index) => cell.padEnd(widths[index] ?? 0)).join("  ").trimEnd();
  return rows.map(line).join("\n");
}

/** Connections as a table. */
export function connectionTable(connections: readonly ConnectionView[]): string {
  const heads = ["ID", "PEER", "UPSTREAM", "STATE", "AGE", "IDLE", "UP", "DOWN"];
  return table([
    heads,
    ...connections.map((one) => [
      `${one.id}`,
      one.peer,
      one.upstream,
      one.state,
      describeDuration(one.ageSeconds * 1000),
      describeDuration(one.idleSeconds * 1000),
      describeBytes(one.bytesUp),
      describeBytes(one.bytesDown),
    ]),
  ]);
}

/** A number of bytes for a person, to about two digits, in powers of 1024. */
export function describeBytes(bytes: number): string {
  const units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
  let value = bytes;
  let unit = 0;
  for (; value >= 1024 && unit < units.length - 1; unit++) value /= 1024;
  return `${value >= 10 || unit === 0 ? Math.round(value) : value.toFixed(1)} ${units[unit]}`;
}

/** How long until, or since, a time: `in 5m`, `5m ago`. */
export function describeTime(iso: string): string {
  const left = Date.parse(iso) - Date.now();
  return left >= 0 ? `in ${describeDuration(left)}` : `${describeDuration(-left)} ago`;
}
