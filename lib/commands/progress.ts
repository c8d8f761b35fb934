import { writeAll } from "../standard_streams.ts";
import type { DrainProgress } from "../control/api.ts";
import { describeDuration, type Duration } from "../duration.ts";
import { printable } from "../printable.ts";
import { canMoveCursor, connectionTable, tell, widthOf } from "./output.ts";
import { BECAUSE } from "../control/ties.ts";

/** Elsewhere than on a terminal: how often something is said though nothing changed, in seconds. */
const AT_LEAST_EVERY = 10;
/** How many connections are named on a terminal. */
const MOST_NAMED = 10;

/** Shows how a drain goes: live on a terminal, as plain lines elsewhere. */
export class Progress {
  readonly #live = canMoveCursor(Deno.stderr);
  #linesShown = 0;
  #active = -1;
  #saidAt = 0;

  /** @param timeout how long the drain may take, in milliseconds */
  constructor(private readonly timeout: Duration) {}

  /** Shows where the drain is now. */
  show(now: DrainProgress): void {
    if (this.#live) return this.#redraw(now);
    const isNews = now.active !== this.#active ||
      now.waitedSeconds >= this.#saidAt + AT_LEAST_EVERY;
    if (!isNews) return;
    this.#active = now.active;
    this.#saidAt = now.waitedSeconds;
    const [oldest] = now.blockers;
    const who = oldest === undefined ? "" : `, among them ${oldest.peer}, ` +
      `connected for ${describeDuration(oldest.ageSeconds * 1000)}, ` +
      `idle for ${describeDuration(oldest.idleSeconds * 1000)}`;
    tell(this.#headline(now) + who + whyBlocked(now));
  }

  /** Takes the live display away. */
  clear(): void {
    if (this.#linesShown > 0) this.#write(this.#home());
    this.#linesShown = 0;
  }

  #headline({ state, active, queued, suspended, waitedSeconds }: DrainProgress): string {
    const limit = this.timeout === null ? "" : ` of ${describeDuration(this.timeout)}`;
    const held = (queued === null ? "" : `, ${queued} queued`) +
      // One of an earlier version suspends nobody.
      (suspended ? `, ${suspended} suspended` : "");
    const verb = state === "drained" ? "Drained" : "Draining";
    return `${verb} for ${describeDuration(waitedSeconds * 1000)}${limit}: ${active} active${held}`;
  }

  #redraw(now: DrainProgress): void {
    const named = now.blockers.slice(0, MOST_NAMED);
    const lines = [this.#headline(now)];
    const columns = widthOf(Deno.stderr);
    if (named.length > 0) lines.push(...connectionTable(named, undefined, columns - 1).split("\n"));
    if (now.active > named.length) lines.push(`and ${now.active - named.length} more`);
    const text = lines.map((line) => printable(line).slice(0, columns - 1)).join("\n");
    this.#write(`${this.#home()}${text}\n`);
    this.#linesShown = lines.length;
  }

  /** To where the display began, and clear from there. Source: console_codes(4). */
  #home(): string {
    return this.#linesShown === 0 ? "" : `\x1b[${this.#linesShown}A\r\x1b[J`;
  }

  #write(text: string): void {
    try {
      writeAll(Deno.stderr, text);
    } catch { /* a terminal that is gone must not end the drain */ }
  }
}

/** Where the quiet are let go: why the oldest connection is not, ever. */
function whyBlocked({ suspendQuietSeconds, blockers: [oldest] }: DrainProgress): string {
  if (!suspendQuietSeconds || !oldest?.tied) return "";
  return `; blocks because ${BECAUSE[oldest.tied]}`;
}
