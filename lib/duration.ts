/**
 * Durations as people write them: `500ms`, `30s`, `5m`, `1h30m`, or `none` for no limit.
 *
 * @module
 */

/** A length of time in milliseconds, or `null` for no limit. */
export type Duration = number | null;

const MILLISECONDS = { h: 3_600_000, m: 60_000, s: 1000, ms: 1 } as const;

/** `setTimeout` counts in 32 bits and fires at once beyond that; three weeks are as good as any limit. */
const LONGEST = 21 * 24 * MILLISECONDS.h;

const PATTERN = /^(?:(\d+)h)?(?:(\d+)m(?!s))?(?:(\d+)s)?(?:(\d+)ms)?$/;

/**
 * Reads a duration; the units go from large to small, each at most once.
 *
 * @returns milliseconds, or `null` for `none`
 * @throws {RangeError} when the text is no duration, or one of more than 21 days
 */
export function parseDuration(text: string): Duration {
  if (text === "none") return null;
  const match = PATTERN.exec(text);
  if (text === "" || match === null) {
    throw new RangeError(`"${text}" is no duration: write 500ms, 30s, 5m, 1h30m or none`);
  }
  const [, hours = 0, minutes = 0, seconds = 0, milliseconds = 0] = match;
  const total = Number(hours) * MILLISECONDS.h + Number(minutes) * MILLISECONDS.m +
    Number(seconds) * MILLISECONDS.s + Number(milliseconds);
  if (total > LONGEST) {
    throw new RangeError(`"${text}" is longer than 21 days`);
  }
  return total;
}

/**
 * Reads a duration that must have an end.
 *
 * @returns milliseconds
 * @throws {RangeError} as {@linkcode parseDuration}, and for `none`
 */
export function parseFiniteDuration(text: string): number {
  const duration = parseDuration(text);
  if (duration === null) throw new RangeError("none is not possible here: write a duration");
  return duration;
}

/**
 * Makes a parser of durations from the lowest to the highest, both in milliseconds, and of `none`.
 * It throws `RangeError` as {@linkcode parseDuration}, and for what is out of range.
 */
export function durationWithin(lowest: number, highest: number): (text: string) => Duration {
  return (text) => {
    const duration = parseDuration(text);
    if (duration !== null && (duration < lowest || duration > highest)) {
      const range = `${formatDuration(lowest)} to ${formatDuration(highest)}`;
      throw new RangeError(`"${text}" is out of range: write ${range}, or none`);
    }
    return duration;
  };
}

/**
 * Reads for how long somebody must have been silent to be called quiet.
 *
 * @returns milliseconds, or `null` for `none`: nobody is
 * @throws {RangeError} as {@linkcode parseDuration}, and for less than a millisecond
 */
export const parseQuiet = durationWithin(1, LONGEST);

/** Writes a duration the way {@linkcode parseDuration} reads it, exact to the millisecond. */
export function formatDuration(duration: Duration): string {
  if (duration === null) return "none";
  let rest = Math.max(0, Math.round(duration));
  if (rest === 0) return "0s";
  let text = "";
  for (const [unit, size] of Object.entries(MILLISECONDS)) {
    const count = Math.floor(rest / size);
    if (count > 0) text += `${count}${unit}`;
    rest -= count * size;
  }
  return text;
}

/** Writes a duration for a person, to about two digits: `12ms`, `3.4s`, `5m12s`, `2h5m`. */
export function describeDuration(milliseconds: number): string {
  if (milliseconds < 1000) return `${Math.round(milliseconds)}ms`;
  if (milliseconds < 10_000) return `${(milliseconds / 1000).toFixed(1)}s`;
  const unit = milliseconds < MILLISECONDS.h ? MILLISECONDS.s : MILLISECONDS.m;
  return formatDuration(Math.round(milliseconds / unit) * unit);
}
