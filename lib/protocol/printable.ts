/**
 * Makes text that a stranger sent safe to print: control characters, which could steer a terminal
 * or break a line, and invisible ones become escapes such as `\u{1b}`.
 */
export function printable(text: string): string {
  return text.replaceAll(
    /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu,
    (character) => `\\u{${character.codePointAt(0)?.toString(16)}}`,
  );
}
