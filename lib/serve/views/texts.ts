/**
 * What the parts of the page say in the same way.
 *
 * @module
 */

import { describeBytes } from "../../bytes.ts";
import { describeDuration } from "../../duration.ts";
import { clockTime } from "../../moment.ts";
import { type Html, markup } from "../markup.ts";
import type { Watched } from "../watched.ts";

/** What a proxy is doing; `away` if it does not answer. */
export function stateOf({ status, failure }: Watched): string {
  return failure === null && status !== null ? status.state : "away";
}

/** The state as a badge: by its word, and besides by its colour. */
export function badge(state: string): Html {
  return markup`<span class="badge ${state}">${state}</span>`;
}

/** A number, in groups of three digits; a dash if it is not known. */
export function number(value: number | null | undefined): string {
  return value === null || value === undefined ? "–" : value.toLocaleString("en");
}

/** A number of bytes; a dash if it is not known. */
export function bytes(value: number | null | undefined): string {
  return value === null || value === undefined ? "–" : describeBytes(value);
}

/** Bytes a second; a dash if that is not known. */
export function rate(value: number | null | undefined): string {
  return value === null || value === undefined ? "–" : `${describeBytes(value)}/s`;
}

/** A length of time. */
export function duration(seconds: number): string {
  return describeDuration(seconds * 1000);
}

/** A time as the clock shows it. @param at milliseconds since the epoch, as is `now` */
export function moment(at: number, now: number): Html {
  if (Number.isNaN(at)) return markup`–`;
  const iso = new Date(at).toISOString();
  return markup`<time datetime="${iso}">${clockTime(at, now)}</time>`;
}

/** A cell of a table that is a list on a narrow screen, where its head stands beside it. */
export function cell(head: string, content: string | Html, kind = ""): Html {
  return markup`<td data-head="${head}" class="${kind}">${content}</td>`;
}
