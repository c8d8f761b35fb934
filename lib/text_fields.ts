/**
 * Fields of requests that are written as texts.
 *
 * @module
 */

import * as v from "valibot";
import { messageOf } from "./message_of.ts";
import { isPrintable } from "./printable.ts";

/** A text that is read by a parser, which throws if it cannot. */
export function parsed<T>(parse: (text: string) => T) {
  return v.pipe(
    v.string(),
    v.rawTransform(({ dataset, addIssue, NEVER }) => {
      try {
        return parse(dataset.value);
      } catch (error) {
        addIssue({ message: messageOf(error) });
        return NEVER;
      }
    }),
  );
}

/** A text that can be shown to everybody who comes across it. @param length how to say its length */
export function shown(least: number, most: number, length: string) {
  return v.pipe(
    v.string(),
    v.check(
      (text) => isPrintable(text) && [...text].length >= least && [...text].length <= most,
      `expected ${length}, and no control characters, nor any that are not seen`,
    ),
  );
}
