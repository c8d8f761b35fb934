/**
 * Text for manual pages, in the language of man(7).
 *
 * @module
 */

/** How long an input line may be before `mandoc -T lint` finds it too long. */
const WIDTH = 78;

/** Text in which nothing means anything to a formatter. Hyphens are to be copied as they are. */
export function plain(text: string): string {
  return text.replaceAll("\\", "\\e").replaceAll("-", "\\-");
}

/** Text in bold: what is to be typed as it stands. */
export function bold(text: string): string {
  return `\\fB${plain(text)}\\fR`;
}

/** Text in italics: what something is to be put in the place of. */
export function italic(text: string): string {
  return `\\fI${plain(text)}\\fR`;
}

/** Lines of a paragraph whose text is already that of a page. */
export function filled(text: string): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.trim().split(/\s+/)) {
    if (line !== "" && line.length + 1 + word.length > WIDTH) {
      lines.push(line);
      line = "";
    }
    line += line === "" ? word : ` ${word}`;
  }
  return [...lines, line].map(shielded);
}

/** Lines of an example, as they stand. */
export function example(text: string): string[] {
  return [
    ".PP",
    ".nf",
    ".RS",
    ...text.split("\n").map((line) => shielded(plain(line))),
    ".RE",
    ".fi",
  ];
}

/** The head of a section. */
export function section(title: string): string {
  return `.SH ${title}`;
}

/** An item with a tag: an option, a file, a variable. @param tag is already text of a page */
export function item(tag: string, about: string): string[] {
  return [".TP", shielded(tag), ...filled(plain(about))];
}

/** A dot or a quote at the beginning of a line would make a request of it. */
function shielded(line: string): string {
  return /^[.']/.test(line) ? `\\&${line}` : line;
}
