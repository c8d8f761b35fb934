/** Text in which a shell takes nothing for something else. */
export function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
