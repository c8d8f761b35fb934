/**
 * A drain as a timeline: its phases, how many were held, who was in the way, and who waited.
 *
 * @module
 */

import type { Status } from "../../control/api.ts";
import type { PastDrain } from "../../drain/past_drain.ts";
import { type Html, markup } from "../markup.ts";
import type { Watched } from "../watched.ts";
import type { Count, Seen, Witnessed } from "../witness.ts";
import { duration, moment, number } from "./texts.ts";

/** How many connections, and how many who were held, have a bar. */
const MOST_BARS = 12;

/** How wide a bar is that lasts for all of the time, in units of its own. */
const WIDTH = 1000;

/** A drain, with times in milliseconds since the epoch. */
interface Shown {
  readonly since: number;
  /** When it was drained; `null` if it is not, or never was. */
  readonly drainedAt: number | null;
  /** When it ended; `null` as long as it has not. */
  readonly endedAt: number | null;
  readonly past: PastDrain | null;
  readonly seen: Seen | undefined;
  readonly owner: string | null;
  readonly reason: string | null;
}

/** The last drain, or the one that goes on. */
export function timeline(proxy: Watched, now: number): Html {
  const shown = shownOf(proxy);
  if (shown === null) return markup`<p class="note">No drain is remembered.</p>`;
  const end = shown.endedAt ?? now;
  const scale = scaleOf(shown.since, Math.max(end, shown.since + 1));
  const isOpenEnded = shown.endedAt === null && proxy.failure === null;
  return markup`
    <ol class="steps">${steps(shown, proxy.status, now)}</ol>
    <div class="bars">
          ${bar("Draining", scale(shown.since, shown.drainedAt ?? end), "draining")}
          ${
    shown.drainedAt === null
      ? null
      : bar("Drained: the upgrade runs", scale(shown.drainedAt, end), "drained")
  }
          ${heldRow(shown, end, scale)}
          ${waitedRows("In the way", [...shown.seen?.inTheWay.values() ?? []], "inTheWay", scale)}
          ${waitedRows("Held", [...shown.seen?.held.values() ?? []], "held", scale)}
        </div>
    <p class="axis"><span>${moment(shown.since, now)}</span><span>${
    isOpenEnded ? markup`now` : moment(end, now)
  }</span></p>
  `;
}

/** A drain that goes on comes before one that was. */
function shownOf({ status, history, witness }: Watched): Shown | null {
  const past = history.at(-1) ?? null;
  if (status?.since) {
    const { owner, reason, since } = status;
    const own = past?.since === since ? past : null;
    return {
      since: Date.parse(since),
      drainedAt: own === null ? null : drainedAt(own),
      endedAt: null,
      past: own,
      seen: witness.of(since),
      owner,
      reason,
    };
  }
  if (past === null) return null;
  const { owner, reason, since, endedAt } = past;
  return {
    since: Date.parse(since),
    drainedAt: drainedAt(past),
    endedAt: endedAt === null ? Date.parse(since) + past.tookSeconds * 1000 : Date.parse(endedAt),
    past,
    seen: witness.of(since),
    owner,
    reason,
  };
}

function drainedAt({ outcome, since, tookSeconds }: PastDrain): number | null {
  return outcome === "drained" ? Date.parse(since) + tookSeconds * 1000 : null;
}

/** What happened, step by step. */
function steps(shown: Shown, status: Status | null, now: number): Html[] {
  const { since, drainedAt, endedAt, past, owner, reason } = shown;
  const seconds = (from: number, to: number) => duration(Math.max(0, to - from) / 1000);
  const begins = markup`<li>${moment(since, now)} The drain begins${
    owner === null ? null : markup`, by <strong>${owner}</strong>`
  }${reason === null ? null : markup`: <q>${reason}</q>`}</li>`;
  const blocked = past !== null && past.active > 0
    ? markup`<li>${number(past.active)} still in the way: ${
      past.blockers.map(({ peer, idleSeconds }) => `${peer} (idle for ${duration(idleSeconds)})`)
        .join(", ")
    }</li>`
    : null;
  const waits = past === null && status !== null && status.active > 0
    ? markup`<li>${number(status.active)} ${status.active === 1 ? "is" : "are"} in the way, for ${
      seconds(since, now)
    } so far</li>`
    : null;
  const drained = drainedAt === null
    ? null
    : markup`<li>${moment(drainedAt, now)} Drained, after ${seconds(since, drainedAt)}</li>`;
  const failed = past === null || past.outcome === "drained"
    ? null
    : markup`<li>It failed (${past.outcome}), after ${duration(past.tookSeconds)}</li>`;
  const cut = past !== null && past.cut > 0 ? markup`<li>${number(past.cut)} cut</li>` : null;
  const ended = past === null || endedAt === null
    ? null
    : markup`<li>${moment(endedAt, now)} Resumed${
      past.endedBy === null || past.endedBy === "resumed" ? null : ` (${past.endedBy})`
    }: ${
      past.held
        ? `${number(past.held)} held, the longest for ${duration(past.longestHoldSeconds ?? 0)}`
        : "nobody was held"
    }</li>`;
  return [begins, waits, blocked, drained, failed, cut, ended].filter((step) => step !== null);
}

/** How many were held, as that changed. */
function heldRow({ seen, past }: Shown, end: number, scale: Scale): Html | null {
  const counts = seen?.counts ?? [];
  const most = Math.max(0, ...counts.map(({ held }) => held));
  if (most === 0) return null;
  const heights = counts.map(({ at, held }: Count, index) => {
    const { x, width } = scale(at, counts[index + 1]?.at ?? end);
    const height = 20 * held / most;
    return markup`
      <rect x="${x}" y="${20 - height}" width="${width}" height="${height}" />
    `;
  });
  const held = past?.held ?? most;
  return markup`<div class="bar held"><span>Held: ${number(held)}</span>
    <svg viewBox="0 0 ${WIDTH} 20" preserveAspectRatio="none" role="img"
      aria-label="At most ${most} were held at a time">${heights}</svg></div>`;
}

/** Those who were seen, the longest first. */
function waitedRows(
  what: string,
  all: readonly Witnessed[],
  kind: string,
  scale: Scale,
): Html[] {
  const longest = all.toSorted((one, other) =>
    other.until - other.from - (one.until - one.from) || one.id - other.id
  );
  const rows = longest.slice(0, MOST_BARS).map(({ peer, from, until }) =>
    bar(`${what}: ${peer}, ${duration((until - from) / 1000)}`, scale(from, until), kind)
  );
  const more = all.length - rows.length;
  return more === 0 ? rows : [...rows, markup`<p class="note">${what}: ${number(more)} more</p>`];
}

/** Where something lies in a bar. */
type Scale = (from: number, to: number) => { readonly x: number; readonly width: number };

function scaleOf(begin: number, end: number): Scale {
  const at = (time: number) =>
    Math.round(WIDTH * Math.min(1, Math.max(0, (time - begin) / (end - begin))));
  // What took no time is seen as well.
  return (from, to) => ({
    x: Math.min(at(from), WIDTH - 2),
    width: Math.max(2, at(to) - at(from)),
  });
}

function bar(label: string, { x, width }: ReturnType<Scale>, kind: string): Html {
  return markup`<div class="bar ${kind}"><span>${label}</span>
    <svg viewBox="0 0 ${WIDTH} 20" preserveAspectRatio="none" aria-hidden="true"><rect
      x="${x}" y="0" width="${width}" height="20"/></svg></div>`;
}
