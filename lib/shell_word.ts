/**
 * A text as a word for a shell, for commands that are meant to be pasted or passed to one.
 *
 * @returns the text itself where that is safe, else in single quotes (sh(1), "Quoting")
 */
export function shellWord(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}
