/** Controls, formats (unseen, or turning the direction), halves of pairs, and ends of lines. */
const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu;

/** Whether a text can be shown as it is: it steers no terminal, and hides nothing. */
export function isPrintable(text: string): boolean {
  return text.search(UNPRINTABLE) === -1;
}

/**
 * Makes text that a stranger wrote safe to show, in one line: what could steer a terminal or break
 * the line, and what is not seen, becomes an escape such as `\u001b`. JSON stays the same JSON.
 */
export function printable(text: string): string {
  return text.replaceAll(UNPRINTABLE, (character) => {
    const units = [...Array(character.length).keys()].map((at) => character.charCodeAt(at));
    return units.map((unit) => `\\u${unit.toString(16).padStart(4, "0")}`).join("");
  });
}

/** The same for text of several lines. */
export function printableLines(text: string): string {
  return text.split("\n").map(printable).join("\n");
}
