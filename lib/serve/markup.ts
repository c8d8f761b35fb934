/**
 * HTML that is put together of texts, each of which is escaped.
 *
 * @module
 */

import { printable } from "../printable.ts";

/** Text that is HTML already. */
export class Html {
  constructor(readonly text: string) {}
}

/** What can be put into HTML: nothing, a text or number that is escaped, or HTML. */
export type Piece = null | string | number | Html | readonly Piece[];

const ESCAPES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

/** Makes HTML; whatever is put in is escaped, unless it is HTML. Attributes stand in quotes. */
export function markup(texts: TemplateStringsArray, ...pieces: readonly Piece[]): Html {
  return new Html(texts.map((text, at) => tight(text) + written(pieces[at] ?? null)).join(""));
}

/** Without what only indents it. */
function tight(text: string): string {
  return text.replaceAll(/\s*\n\s*/g, "\n");
}

function written(piece: Piece): string {
  if (piece === null) return "";
  if (piece instanceof Html) return piece.text;
  if (typeof piece === "string" || typeof piece === "number") return escaped(`${piece}`);
  return piece.map(written).join("");
}

/** What a stranger wrote hides nothing, turns no direction, and is no HTML. */
function escaped(text: string): string {
  return printable(text).replaceAll(/[&<>"']/g, (character) => ESCAPES[character] ?? "");
}
