/**
 * What proxyctl prints: results on stdout, everything else on stderr. Whoever it is from, nothing of
 * it is obeyed by a terminal.
 *
 * @module
 */

import { writeAll, writeError } from "../standard_streams.ts";
import { Failure } from "../failure.ts";
import type { ConnectionView } from "../control/api.ts";
import { describeBytes } from "../bytes.ts";
import { describeDuration } from "../duration.ts";
import { describeMoment } from "../moment.ts";
import { messageOf } from "../message_of.ts";
import { printable, printableLines } from "../printable.ts";
import { BECAUSE } from "../control/ties.ts";

/** Prints a result for people, or as one line of JSON. */
export function printResult(json: boolean | undefined, result: unknown, text: string): void {
  print(json ? JSON.stringify(result) : text);
}

/**
 * Prints lines on stdout.
 *
 * @param before is meant for the terminal
 * @throws {Failure} when they cannot be written
 */
export function print(text: string, before = ""): void {
  try {
    const end = text === "" || text.endsWith("\n") ? "" : "\n";
    writeAll(Deno.stdout, before + printableLines(text) + end);
  } catch (error) {
    throw new Failure(`Failed to write to stdout: ${messageOf(error)}`);
  }
}

/** Tells of progress on stderr. */
export const tell = writeError;

/** How wide lists may be where nobody says otherwise, in columns. */
const USUAL_WIDTH = 80;

/**
 * Columns of text, aligned, the first line being their heads.
 *
 * @param first the heads of columns that are left out, in this order, where there is no room
 * @param room how many columns a line may have
 */
export function table(
  cells: readonly (readonly string[])[],
  first: readonly string[] = [],
  room = widthOf(Deno.stdout),
): string {
  const rows = cells.map((row) => row.map(printable));
  const widths = rows.reduce<number[]>(
    (widest, row) => row.map((cell, index) => Math.max(cell.length, widest[index] ?? 0)),
    [],
  );
  const [head, ...others] = first;
  const width = widths.reduce((sum, width) => sum + width + 2, -2);
  if (head !== undefined && width > room) {
    const without = cells[0]?.indexOf(head) ?? -1;
    return table(cells.map((row) => row.filter((_, index) => index !== without)), others, room);
  }
  const line = (row: readonly string[]) =>
    row.map((cell, index) => cell.padEnd(widths[index] ?? 0)).join("  ").trimEnd();
  return rows.map(line).join("\n");
}

/**
 * Values, each behind its label; what does not fit into a line goes on in the next, below itself.
 *
 * @param room how many columns a line may have
 */
export function labelled(
  rows: readonly (readonly [label: string, value: string])[],
  room = widthOf(Deno.stdout),
): string {
  const indent = Math.max(...rows.map(([label]) => label.length)) + 2;
  return table(
    rows.flatMap(([label, value]) =>
      broken(printable(value), room - indent).map((line, index) => [index === 0 ? label : "", line])
    ),
  );
}

/** The lines of a text, which is broken between words where it is longer than that. */
function broken(text: string, width: number): string[] {
  const lines = [""];
  for (const word of text.split(" ")) {
    const last = lines.at(-1) ?? "";
    if (last !== "" && last.length + 1 + word.length > width) lines.push(word);
    else lines[lines.length - 1] = last === "" ? word : `${last} ${word}`;
  }
  return lines;
}

/** How many columns there are on a stream. */
export function widthOf(stream: { isTerminal(): boolean }): number {
  // A terminal that was never told its size has none.
  return stream.isTerminal() && Deno.consoleSize().columns || USUAL_WIDTH;
}

/** Whether a stream is a terminal on which the cursor can be moved. */
export function canMoveCursor(stream: { isTerminal(): boolean }): boolean {
  return stream.isTerminal() && Deno.env.get("TERM") !== "dumb";
}

/**
 * Connections as a table, with what ties them to their service if one is tied.
 *
 * @param processes those of their peers, in the same order, if shown
 * @param room as of {@linkcode table}
 */
export function connectionTable(
  connections: readonly ConnectionView[],
  processes?: readonly (string | null)[],
  room?: number,
): string {
  const heads = ["ID", "PEER", "UPSTREAM", "STATE", "AGE", "IDLE", "UP", "DOWN"];
  // A proxy of an earlier version does not tell.
  const ties = connections.some(({ tied }) => tied);
  const rows = connections.map((one, index) => [
    `${one.id}`,
    one.peer,
    one.upstream,
    one.state,
    describeDuration(one.ageSeconds * 1000),
    describeDuration(one.idleSeconds * 1000),
    describeBytes(one.bytesUp),
    describeBytes(one.bytesDown),
    ...processes === undefined ? [] : [processes[index] ?? "-"],
    ...(ties ? [one.tied ? BECAUSE[one.tied] : "-"] : []),
  ]);
  const shown = [
    ...heads,
    ...processes === undefined ? [] : ["PROCESS"],
    ...ties ? ["NEVER SUSPENDED BECAUSE"] : [],
  ];
  // Of those that are held, that is what matters.
  const states = connections.some(({ heldSince }) => heldSince) ? [] : ["STATE"];
  return table([shown, ...rows], ["UPSTREAM", ...states, "UP", "DOWN"], room);
}

/** When a time is or was: `in 5m (01:05:37Z)`, `5m ago (01:05:37Z)`. */
export function describeTime(iso: string): string {
  const at = Date.parse(iso);
  return Number.isNaN(at) ? iso : describeMoment(at, Date.now());
}
